// In place of the runtime's `queueMicrotask`, by which Rust's futures are polled: that one makes an object and a function of
// each task, for the collector to find. The promise is kept already, so the task is queued at once; whose it is does not matter.
export function queueMicrotask(task) {
  Promise.resolve().then(() => run(task));
}

/** What a task throws is told as the runtime's own tells it: it is logged, and worker-build begins anew after a trap. */
function run(task) {
  try {
    task();
  } catch (error) {
    reportError(error);
  }
}
