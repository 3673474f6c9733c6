import assert from "node:assert/strict";
import { test } from "node:test";
import { Lapse, type Loading } from "../src/lapse";

/** What plays: so many levels are known, and what was asked of it. */
class Player implements Loading {
  readonly asked: string[] = [];
  constructor(readonly levels: readonly unknown[]) {}
  stopLoad(): void {
    this.asked.push("stop");
  }
  startLoad(): void {
    this.asked.push("start");
  }
}

/** A session that lapses, what plays when there is one again, and how often that is begun afresh. */
async function lapsed(first: Player, then: Player | null, meanwhile: (lapse: Lapse) => void = () => {}): Promise<number> {
  const lapse = new Lapse();
  let [playing, afresh, logIn]: [Player | null, number, () => void] = [first, 0, () => {}];
  const login = () => new Promise<void>((resolve) => (logIn = resolve));
  const over = lapse.wait(first, login, () => playing, () => (afresh += 1));
  playing = then;
  meanwhile(lapse);
  logIn();
  await over;
  return afresh;
}

test("what plays goes on from what is buffered once there is a session again", async () => {
  const player = new Player(["720p"]);
  assert.equal(await lapsed(player, player), 0);
  assert.deepEqual(player.asked, ["stop", "start"]);
});

test("what was refused before it knew what there is begins afresh", async () => {
  const player = new Player([]);
  assert.equal(await lapsed(player, player), 1);
  assert.deepEqual(player.asked, ["stop"]);
});

test("what was begun and refused while a session was waited for begins afresh, once", async () => {
  const [first, then] = [new Player(["720p"]), new Player([])];
  const refused = (lapse: Lapse) => void lapse.wait(then, () => assert.fail("asked twice"), () => then, () => assert.fail("begun twice"));
  assert.equal(await lapsed(first, then, refused), 1);
  assert.deepEqual([first.asked, then.asked], [["stop"], []]);
});
