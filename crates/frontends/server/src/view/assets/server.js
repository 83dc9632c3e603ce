// What the page asks the server: requests, and streams of server-sent events.
//
// They are read with `fetch`, because an `EventSource` cannot send the token.

const TOKEN = "logladder-token";
let token = sessionStorage.getItem(TOKEN) ?? "";

/** What the server refused, with its own words. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function setToken(text) {
  token = text;
  sessionStorage.setItem(TOKEN, text);
}

function headers(more = {}) {
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/** Sends a request. Gives the answer if it is a success, and throws `Refused` if not. */
export async function send(method, path, body) {
  let response;
  try {
    response = await fetch(path, { method, body, headers: headers(), cache: "no-store" });
  } catch {
    throw new Refused(0, "the server does not answer");
  }
  if (response.ok) {
    return response;
  }
  const said = await response.json().catch(() => ({}));
  throw new Refused(response.status, said.error ?? `the server answered ${response.status}`);
}

export async function json(path) {
  return (await send("GET", path)).json();
}

/**
 * Follows a stream of events for ever. When it breaks off, it is asked for again behind the last event that was seen, once
 * `isReady` says yes. Ends where the server refuses for good.
 */
export async function follow(path, heard, broken, isReady = () => true) {
  let last = null;
  for (;;) {
    if (!isReady()) {
      // The places of a store that crashed may be gone.
      last = null;
      await pause();
      continue;
    }
    try {
      const response = await fetch(path(), {
        headers: headers(last === null ? {} : { "Last-Event-ID": last }),
        cache: "no-store",
      });
      if (!response.ok) {
        const said = await response.json().catch(() => ({}));
        throw new Refused(response.status, said.error ?? `the server answered ${response.status}`);
      }
      broken(null);
      for await (const event of events(response.body)) {
        if (event.type === "error") {
          // The place is gone, as after a crash that took changes: go on from now.
          last = null;
          break;
        }
        last = event.id ?? last;
        heard(event);
      }
    } catch (error) {
      const isFinal = error instanceof Refused && [400, 401, 403, 404, 501].includes(error.status);
      if (error instanceof Refused && error.status === 400 && last !== null) {
        last = null;
      } else {
        broken(error);
        if (isFinal) {
          return;
        }
      }
    }
    await pause();
  }
}

const pause = () => new Promise((done) => setTimeout(done, 1000));

/** The events of a stream, each with `type`, `id` and `data`. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const event = { type: "message", id: null, data: "" };
      for (const line of text.slice(0, end).split("\n")) {
        const [, name, rest] = /^(\w*): ?(.*)$/.exec(line) ?? [];
        if (name === "data") event.data += rest;
        if (name === "id") event.id = rest;
        if (name === "event") event.type = rest;
      }
      text = text.slice(end + 2);
      if (event.data) {
        yield event;
      }
    }
  }
}
