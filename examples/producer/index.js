// A Worker whose logs go to Timberline: it needs nothing but `tail_consumers` in wrangler.toml.
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    console.log("request for", pathname);
    if (pathname === "/warn") console.warn("disk almost full", { percent: 93 });
    if (pathname === "/throw") throw new TypeError("the example was asked to throw");
    return new Response(`hello from the producer at ${pathname}\n`);
  },
};
