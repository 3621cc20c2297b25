// The rows of the result, and the two ways to show them.

/**
 * One row.
 * - `values`: `[{ value, unit, most | least }]`; the row is ok when all that have a bound keep it. A value that is
 *   undefined could not be measured.
 * - `against`: `[{ name, value }]`: the first value is shown as a multiple of these.
 * - `missing`: why there are no values. `wrong`: why they do not count.
 * - `note`: how the values came about.
 */
export function row(part, figure, values, { against = [], missing = "", wrong = "", note = "" } = {}) {
  return { part, figure, values, against, missing, wrong, note };
}

export function printed({ about, settings, rows }) {
  const cells = [["figure", "measured", "target", "", "against"], ...rows.map((row) => [row.figure, measured(row), target(row), verdict(row), ratios(row)])];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const line = (cells) => cells.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd();
  const body = rows.flatMap((row, n) => {
    const heading = row.part === rows[n - 1]?.part ? [] : ["", row.part.toUpperCase()];
    return [...heading, line(cells[n + 1]), ...(row.note ? [`    ${row.note}`] : [])];
  });
  return [line(cells[0]), ...body, "", headline(about, settings)].join("\n");
}

export function markdown({ about, settings, rows }) {
  const safe = (text) => text.replaceAll("|", "\\|");
  const lines = rows.map((row) => `| ${[row.figure, measured(row), target(row), verdict(row), ratios(row), row.note].map(safe).join(" | ")} |`);
  return [headline(about, settings), "", "| figure | measured | target | | against | how |", "|---|---|---|---|---|---|", ...lines].join("\n");
}

const headline = (about, { lines, bytes, seed }) =>
  `${about.date}, commit ${about.commit}: ${lines.toLocaleString("en")} lines of ${Math.round(bytes / lines)} bytes${seed === null ? " from a file" : ` (seed ${seed})`}; ` +
  `${about.cpu}, ${about.memory}, load ${about.load_before} before; Node ${about.node}, workerd ${about.workerd}.`;

function measured({ values, missing, wrong }) {
  if (missing) return missing;
  const text = values.map(({ value, unit }) => quantity(value === undefined ? "?" : shown(value), unit)).join(", ");
  return wrong ? `${text}; ${wrong}` : text;
}

const target = ({ values }) =>
  values.filter(bounded).map(({ most, least, unit }) => (most === undefined ? "≥ " : "≤ ") + quantity((most ?? least).toLocaleString("en"), unit)).join(", ");

function verdict({ values, missing, wrong }) {
  if (missing || !values.some(bounded)) return "";
  if (wrong) return "miss";
  if (values.some((value) => bounded(value) && value.value === undefined)) return "?";
  return values.every(kept) ? "ok" : "miss";
}

const bounded = ({ most, least }) => most !== undefined || least !== undefined;
const kept = ({ value, most = Infinity, least = -Infinity }) => value === undefined || (value <= most && value >= least);

const ratios = ({ values, against, missing }) =>
  against
    .map(({ name, value }) => {
      if (value === undefined) return `${name}: not run`;
      const ratio = missing || values[0].value === undefined ? "" : `${shown(values[0].value / value)} × `;
      return `${ratio}${name} (${quantity(shown(value), values[0].unit)})`;
    })
    .join("; ");

const quantity = (number, unit) => (unit === "$" ? `$${number}` : `${number} ${unit}`);

/** A number with as many digits as say something. */
function shown(value) {
  const digits = value < 0.1 ? 4 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}
