// Where people go when a session begins and ends. Pure, but for `toLogin`.

const NAME = "[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?";
/** A page of a channel or a recording, or of a clip of one, as the edge spells it. */
const WATCH_PATH = new RegExp(`^/watch/${NAME}(?:/${NAME}(?:\\?from=\\d{1,16}&to=\\d{1,16})?)?$`);
/** A second trip to the login page within this time means that the trip doesn't help, in milliseconds. */
const LOOP_MS = 5_000;
const LAST_TRIP = "railbird-login";

/** The page to open after a login: a page of ours of a channel, a recording or a clip, or the channel list; nothing else. */
export function nextPath(query: string): string {
  const next = new URLSearchParams(query).get("next") ?? "";
  return WATCH_PATH.test(next) ? next : "/";
}

/** The login page that leads back to `path`, a query of its own included. */
export function loginPath(path: string, ended: boolean): string {
  const query = new URLSearchParams();
  if (WATCH_PATH.test(path)) query.set("next", path);
  if (ended) query.set("ended", "1");
  const text = query.toString();
  return text === "" ? "/login" : `/login?${text}`;
}

/**
 * Goes to the login page. `false` where that was done a moment ago and led straight back: a cookie that pages take and
 * the API refuses must not send a browser round in circles.
 */
export function toLogin(ended: boolean): boolean {
  try {
    const now = Date.now();
    const last = Number(sessionStorage.getItem(LAST_TRIP) ?? 0);
    if (now - last < LOOP_MS) return false;
    sessionStorage.setItem(LAST_TRIP, String(now));
  } catch {
    // Without storage there is no memory of the last trip, and no protection either.
  }
  const here = `${location.pathname}${location.search}`;
  location.assign(loginPath(WATCH_PATH.test(here) ? here : location.pathname, ended));
  return true;
}
