// What workerd does at most: reads the log and answers.
export default {
  async fetch(request) {
    const log = await request.json();
    return Response.json({ id: log.trace_id, accepted: 1 }, { status: 201 });
  },
};
