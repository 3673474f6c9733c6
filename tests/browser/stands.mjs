// What the scripts share that judge whether a picture stands: where media is in hand, it must go on by itself.

/**
 * Run in the page: where the picture of this video stands from now on, as a list that grows. `in_hand`: what comes next was there all
 * the same, half a second of it. `moved`: it did not go on by itself, the player moved it. A machine that is slow makes a picture
 * stand, too, and it goes on by itself; one that waits for media has none in hand. How long either takes says nothing.
 */
export function stands(video) {
  const IN_HAND_S = 0.5;
  const all = [];
  let now = null;
  const isInHand = () => {
    const { buffered, currentTime } = video;
    const ranges = Array.from({ length: buffered.length }, (_, n) => [buffered.start(n), buffered.end(n)]);
    return ranges.some(([from, to]) => from <= currentTime && currentTime + IN_HAND_S <= to);
  };
  const look = () => {
    if (now === null) return;
    now.in_hand ||= isInHand();
    requestAnimationFrame(look);
  };
  video.addEventListener("waiting", () => {
    // Who seeks waits, and so does who has not begun: Shaka Player begins with a seek to 0.001 s.
    if (video.seeking || video.currentTime === 0 || now !== null) return;
    now = { at_s: video.currentTime, in_hand: isInHand(), moved: false, over: false };
    all.push(now);
    requestAnimationFrame(look);
  });
  const over = (moved) => {
    if (now !== null) Object.assign(now, { moved, over: true });
    now = null;
  };
  video.addEventListener("seeking", () => over(true));
  video.addEventListener("playing", () => over(false));
  video.addEventListener("ended", () => over(false));
  return all;
}

/** Of those, the ones where the picture stood with media in hand until the player moved it, or stands still. */
export const faults = (stood) => stood.filter(({ in_hand, moved, over }) => in_hand && (moved || !over));
