// Names of channels, screens and players are text: nothing of the player makes a document, or a program, of a string.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const SINKS =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|srcdoc|DOMParser|document\.write|eval)\b|\bnew Function\b|javascript:/;

test("no string becomes markup or a script", async () => {
  const names = (await readdir("src")).filter((name) => name.endsWith(".ts"));
  assert.ok(names.includes("main.ts"), "src holds the player");
  for (const name of names) {
    const found = SINKS.exec(await readFile(`src/${name}`, "utf8"));
    assert.equal(found?.[0], undefined, name);
  }
});
