import assert from "node:assert/strict";
import { test } from "node:test";
import { LATE_MAX, LOST_MS, Relogin } from "../src/relogin";

/** A person who is asked to log in, and a clock. */
class Person {
  now_ms = 0;
  readonly asked: boolean[] = [];
  returned = 0;
  #done: (() => void) | null = null;
  readonly relogin = new Relogin({
    ask: (lost, done) => {
      this.asked.push(lost);
      this.#done = done;
    },
    returned: async () => {
      this.returned += 1;
    },
    now: () => this.now_ms,
  });

  logsIn(): void {
    this.#done?.();
    this.#done = null;
  }
}

test("everybody whose request is refused waits for one login", async () => {
  const person = new Person();
  const waiting = [person.relogin.ended(), person.relogin.ended()];
  assert.deepEqual(person.asked, [false]);
  person.logsIn();
  await Promise.all(waiting);
  assert.equal(person.returned, 1);
});

test("an answer to what was asked before the login asks for no other one", async () => {
  const person = new Person();
  const first = person.relogin.ended();
  person.logsIn();
  person.now_ms += LOST_MS - 1;
  await person.relogin.ended();
  await first;
  assert.deepEqual(person.asked, [false]);
});

test("a login that does not last is told of, after no more questions than may have been under way", async () => {
  const person = new Person();
  const first = person.relogin.ended();
  person.logsIn();
  await first;
  for (let late = 0; late < LATE_MAX; late += 1) await person.relogin.ended();
  const again = person.relogin.ended();
  assert.deepEqual(person.asked, [false, true]);
  person.logsIn();
  await again;
  await person.relogin.ended();
  assert.deepEqual(person.asked, [false, true]);
});

test("a session that ends later is an ordinary end", () => {
  const person = new Person();
  void person.relogin.ended();
  person.logsIn();
  person.now_ms += LOST_MS;
  void person.relogin.ended();
  assert.deepEqual(person.asked, [false, false]);
});
