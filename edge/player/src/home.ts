// The channel list.

import { ApiError, programme, type Channel, type Phase, type Programme } from "./api";
import { el, setText, topBar } from "./dom";
import { logoutButton } from "./logout";
import { setSpoilerFree, spoilerFree } from "./reach";
import { keepAlive } from "./renewal";
import { length } from "./replays";
import { toLogin } from "./session";
import { t } from "./texts";

/** How often the list is asked for anew, in milliseconds. */
const REFRESH_MS = 10_000;

export const PHASES: Record<Phase, string> = { live: "Live", waiting: "Not started yet", ended: "Ended" };

/** The address of a recording's page. */
export const replayPath = (channel: string, replay: string): string =>
  `/watch/${encodeURIComponent(channel)}/${encodeURIComponent(replay)}`;

const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

function recordings(channel: Channel): HTMLElement | null {
  // What is being made is the channel itself, with its own way back to the start.
  const over = channel.replays.filter(({ live }) => !live);
  if (over.length === 0) return null;
  const items = over.map((replay) => {
    // Whoever is to know no result is told no length.
    const about = [DATE.format(replay.start_ms), replay.duration_s > 0 ? length(replay.duration_s) : ""].filter(Boolean).join(" · ");
    const link = el("a", { href: replayPath(channel.id, replay.id), "data-testid": "replay" });
    link.append(el("span", { class: "title" }, replay.title || channel.title), el("span", { class: "about" }, about));
    return el("li", {}, link);
  });
  return el("section", { class: "replays" }, el("h2", {}, "Replays"), el("ul", { role: "list" }, ...items));
}

function card(channel: Channel): HTMLElement {
  const link = el("a", { href: `/watch/${encodeURIComponent(channel.id)}`, class: "card channel", "data-testid": "channel" });
  const phase = el("span", { class: "phase", "data-phase": channel.phase }, PHASES[channel.phase]);
  link.append(el("span", { class: "cloth", "aria-hidden": "true" }, el("i"), el("i"), el("i")));
  link.append(el("span", { class: "title" }, channel.title), phase);
  const replays = recordings(channel);
  return replays === null ? el("li", {}, link) : el("li", {}, link, replays);
}

export function homePage(app: HTMLElement): void {
  const { tools } = topBar();
  tools.append(logoutButton());
  document.title = "Channels · Railbird";
  const heading = el("h1", {}, "Channels");
  const note = el("p", { class: "message", role: "status", "data-testid": "message" });
  const list = el("ul", { class: "channels", role: "list" });
  const free = el("input", { type: "checkbox", checked: spoilerFree(), "data-testid": "spoiler-free" });
  const spoilers = el("label", { class: "spoilers" }, free, t("spoiler_home"));
  app.replaceChildren(el("div", { class: "page" }, heading, note, spoilers, list));
  free.addEventListener("change", () => {
    setSpoilerFree(free.checked);
    void refresh();
  });

  let drawn = "";
  const show = (answer: Programme) => {
    const channels = answer.channels.map(({ id, title, phase, replays }) => ({ id, title, phase, replays }));
    const text = JSON.stringify([answer.title, channels]);
    if (text === drawn) return;
    drawn = text;
    if (answer.title !== "") {
      setText(heading, answer.title);
      document.title = `${answer.title} · Railbird`;
    }
    // Whoever is on a card with the keyboard stays there.
    const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.getAttribute("href") : null;
    list.replaceChildren(...answer.channels.map(card));
    for (const link of list.querySelectorAll("a")) if (link.getAttribute("href") === focused) link.focus();
  };
  let asking: ReturnType<typeof setTimeout> | undefined;
  const refresh = async () => {
    clearTimeout(asking);
    try {
      const answer = await programme(spoilerFree());
      spoilers.hidden = !answer.channels.some(({ replays }) => replays.some(({ live }) => !live));
      show(answer);
      setText(note, answer.channels.length === 0 ? "Your pass covers no channel of this event." : "");
    } catch (error) {
      if (error instanceof ApiError && error.status === 401 && toLogin(true)) return;
      const none = error instanceof ApiError && error.code === "no-event";
      setText(note, none ? "There is no event yet. This page fills by itself." : "Railbird can't be reached. Trying again…");
    }
    clearTimeout(asking);
    asking = setTimeout(() => void refresh(), REFRESH_MS);
  };
  keepAlive();
  setText(note, "Loading…");
  void refresh();
}
