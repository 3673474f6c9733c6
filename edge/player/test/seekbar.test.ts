import assert from "node:assert/strict";
import { test } from "node:test";
import { SeekBar } from "../src/seekbar";
import type { SeekPictures } from "../src/seekpictures";

/** As much of a page's element as the bar needs: it is 216 pixels wide, from the page's edge. */
class Part extends EventTarget {
  hidden = false;
  value = "0";
  textContent = "";
  style = {};
  children: unknown[] = [];
  classes = new Set<string>();
  readonly classList = { toggle: (name: string, on: boolean) => void (on ? this.classes.add(name) : this.classes.delete(name)) };
  attributes = new Map<string, string>();
  setAttribute(name: string, value: string): void {
    if (name === "hidden") this.hidden = true;
    this.attributes.set(name, value);
  }
  append(...children: unknown[]): void {
    this.children.push(...children);
  }
  replaceChildren(...children: unknown[]): void {
    this.children = children;
  }
  get firstChild(): unknown {
    return this.children[0] ?? null;
  }
  getBoundingClientRect(): object {
    return { left: 0, right: 216, top: 0, bottom: 20, width: 216, height: 20 };
  }
  querySelector(): null {
    return null;
  }
  /** The part of this name, here or within. */
  find(name: string): Part {
    const all = [this as Part];
    for (const part of all) all.push(...part.children.filter((child) => child instanceof Part));
    const found = all.find(({ attributes }) => attributes.get("data-testid") === name);
    assert.ok(found !== undefined, name);
    return found;
  }
}
Object.assign(globalThis, { document: { createElement: () => new Part() } });

/** A bar over a window of forty seconds from here on, of which the test says what there is to see. */
class Page {
  from = 40;
  looked: number[] = [];
  seen: ReturnType<SeekPictures["look"]> = { what: "coming" };
  readonly bar: SeekBar;
  constructor(pictures = true) {
    const seekable = { length: 1, start: () => this.from, end: () => this.from + 40 };
    const look = (at_s: number) => {
      this.looked.push(at_s);
      return this.seen;
    };
    const video = { seekable, currentTime: 60 } as unknown as HTMLVideoElement;
    const actions = { live: () => true, endless: () => false, pictures: pictures ? { look, leave() {} } : null };
    this.bar = new SeekBar(video, new Part() as unknown as HTMLElement, actions);
    this.bar.refresh();
  }
  part(name: string): Part {
    return (this.bar.timeline as unknown as Part).find(name);
  }
  point(clientX: number): void {
    this.part("seek").dispatchEvent(Object.assign(new Event("pointermove"), { clientX, pointerType: "mouse" }));
  }
  get bare(): boolean {
    return this.part("peek").classes.has("bare");
  }
}

test("where a pointer rests, what is there is looked at again when the window has moved on", () => {
  const page = new Page();
  assert.deepEqual(page.looked, []);
  page.point(108);
  page.from = 46;
  page.bar.refresh();
  assert.deepEqual(page.looked, [60, 66]);
  assert.equal(page.part("peek-time").textContent, "−0:20");
  page.part("seek").dispatchEvent(new Event("pointerleave"));
  page.bar.refresh();
  assert.equal(page.part("peek").hidden, true);
  assert.equal(page.looked.length, 2);
});

test("the time stands alone where there is nothing to see, and has its picture where there is", () => {
  const page = new Page();
  page.point(108);
  assert.equal(page.bare, false);
  page.seen = { what: "nothing" };
  page.bar.refresh();
  assert.equal(page.bare, true);
  const picture = {} as HTMLCanvasElement;
  page.seen = { what: "picture", picture };
  page.bar.shown();
  assert.deepEqual([page.bare, page.part("peek-picture").firstChild], [false, picture]);
  page.seen = { what: "nothing" };
  page.bar.refresh();
  assert.deepEqual([page.bare, page.part("peek-picture").firstChild, page.part("peek").hidden], [true, null, false]);
  const without = new Page(false);
  without.point(108);
  assert.deepEqual([without.bare, without.part("peek").hidden], [true, false]);
});
