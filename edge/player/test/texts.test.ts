import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, current, direction, LANGUAGES, preferred, t, TABLES, thousandths, type Language, type Name } from "../src/texts";

const every = Object.keys(TABLES) as Language[];

test("every language has every text, with the same parts in it", () => {
  assert.deepEqual(every, Object.keys(LANGUAGES));
  const parts = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([part]) => part).sort();
  for (const language of every) {
    const table: Record<string, string> = TABLES[language];
    assert.deepEqual(Object.keys(table).sort(), Object.keys(TABLES.en).sort(), language);
    for (const [name, text] of Object.entries(table)) {
      assert.ok(text.trim() === text && text !== "", `${language}: ${name}`);
      assert.deepEqual(parts(text), parts(TABLES.en[name as Name]), `${language}: ${name}`);
    }
  }
});

test("a browser's first known language is taken", () => {
  assert.equal(preferred(["de-AT", "nl-BE", "en"]), "nl");
  assert.equal(preferred(["KO"]), "ko");
  assert.equal(preferred(["__proto__", "constructor", "de"]), "en");
  assert.equal(preferred([]), "en");
});

test("texts and numbers are the chosen language's", () => {
  const before = current();
  for (const [language, text, number] of [
    ["en", "Inning 3", "1.636"],
    ["fr", "Reprise 3", "1,636"],
    ["ko", "3이닝", "1.636"],
    ["ar", "الجولة 3", "1.636"],
  ] as const) {
    choose(language);
    assert.deepEqual([t("inning", { n: 3 }), thousandths(1636), direction()], [text, number, language === "ar" ? "rtl" : "ltr"]);
  }
  choose("nl");
  assert.equal(thousandths(-40), "-0,040");
  choose(before);
});
