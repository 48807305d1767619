// host.ts -- Refuses a `Host` that is none, before anything reads the URL. With `x@y` or `x/y` runtimes give URLs in which routers find
// another path than a proxy did, and some that `new URL` does not take.

const HOST = '(?:[\\w.-]+|\\[[\\da-f:.]+\\])(?::\\d+)?';
const HEADER = new RegExp(`^${HOST}$`, 'i');
/** What a URL begins with, up to its path. */
const START = new RegExp(`^https?://${HOST}/`, 'i');

/** Makes the function that returns a request with a URL that can be trusted; null where its `Host` is none. */
export function hostReader(): (request: Request) => Request | null {
  // Nearly all callers name the same host: comparing costs less than a tenth of a microsecond.
  let known = { host: '', start: 'http://localhost/' };
  return (request) => {
    const { url } = request;
    const host = request.headers.get('host') ?? '';
    if (host === known.host && url.startsWith(known.start)) return request;
    // HTTP/1.0 allows to name none.
    if (host === '' && url.startsWith('/')) return new Request(`http://localhost${url}`, request);
    const [start] = START.exec(url) ?? [];
    if (start === undefined || (host !== '' && !HEADER.test(host)) || !URL.canParse(start)) return null;
    known = { host, start };
    return request;
  };
}
