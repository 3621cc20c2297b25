// The Worker's events, all of one instance. The class that worker-build makes of them would be instantiated for each
// request, behind three proxies: a tenth of what a lone log takes. So `this.ctx` is that of the first event: what is to
// outlive an answer imports `waitUntil`.
import Entry from "worker-build";

export { LimiterObject, ScannerObject, ShardObject } from "worker-build";

let entry;
const of = (env, context) => (entry ??= new Entry(context, env));

export default {
  fetch: (request, env, context) => of(env, context).fetch(request),
  scheduled: (event, env, context) => of(env, context).scheduled(event),
  tail: (events, env, context) => of(env, context).tail(events),
};
