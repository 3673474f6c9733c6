// The list of channels over the picture, for a jump to another one.

import type { Channel } from "./api";
import { el } from "./dom";
import { PHASES } from "./home";

/** A choice of channels of which this one is watched. */
export function switcher(current: string): { select: HTMLSelectElement; show(channels: readonly Channel[]): void } {
  const select = el("select", { "aria-label": "Channel", "data-testid": "channels" }, el("option", { value: current }, current));
  select.addEventListener("change", () => {
    if (select.value !== current) location.assign(`/watch/${encodeURIComponent(select.value)}`);
  });
  let drawn = "";
  return {
    select,
    show(channels) {
      const labels = channels.map(({ id, title, phase }) => [id, phase === "live" ? title : `${title} (${PHASES[phase].toLowerCase()})`] as const);
      const text = JSON.stringify(labels);
      if (text === drawn) return;
      drawn = text;
      const known = labels.some(([id]) => id === current);
      const all = known ? labels : [[current, current] as const, ...labels];
      select.replaceChildren(...all.map(([id, label]) => el("option", { value: id, selected: id === current }, label)));
      // A select of one is no choice; it still names the channel.
      select.disabled = all.length < 2;
    },
  };
}
