// Times the questions that a reference is asked, as ../queries.mjs times Timberline's.
import { median } from "../client.mjs";

const [WARM_UPS, RUNS] = [1, 5];

/** The median of each question in ms, less what a request for nothing takes. */
export async function timeAll(questions, ask, trivial) {
  const times = {};
  for (const [name, question] of Object.entries(questions)) {
    const runs = [];
    for (let n = 0; n < WARM_UPS + RUNS; n += 1) {
      const { status, text, ms } = await ask(question);
      if (status !== 200) throw new Error(`a reference answered ${name} with ${status}: ${text.slice(0, 300)}`);
      runs.push(ms);
    }
    times[name] = Math.max(0.01, median(runs.slice(WARM_UPS)) - trivial);
  }
  return times;
}
