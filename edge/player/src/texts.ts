// The words of the score in the viewer's language. Text only; what is written in which element is the pages' affair.

import { ARABIC } from "./texts/ar";
import { ENGLISH, type Texts } from "./texts/en";
import { SPANISH } from "./texts/es";
import { FRENCH } from "./texts/fr";
import { KOREAN } from "./texts/ko";
import { DUTCH } from "./texts/nl";
import { TURKISH } from "./texts/tr";
import { VIETNAMESE } from "./texts/vi";

export type Name = keyof typeof ENGLISH;
export type Language = keyof typeof TABLES;

/** Every language, as those who speak it call it. */
export const LANGUAGES: Record<Language, string> = {
  en: "English",
  fr: "Français",
  es: "Español",
  nl: "Nederlands",
  ko: "한국어",
  vi: "Tiếng Việt",
  tr: "Türkçe",
  ar: "العربية",
};

export const TABLES = { en: ENGLISH, fr: FRENCH, es: SPANISH, nl: DUTCH, ko: KOREAN, vi: VIETNAMESE, tr: TURKISH, ar: ARABIC } satisfies Record<
  string,
  Texts
>;

/** Languages that write a comma before decimals. Digits are those of the picture: lists of results have these everywhere. */
const COMMA: readonly Language[] = ["fr", "es", "nl", "tr", "vi"];

const KEY = "railbird-language";

const isLanguage = (text: string | null | undefined): text is Language => typeof text === "string" && Object.hasOwn(TABLES, text);

/** The first of a browser's languages that there is. */
export function preferred(tags: readonly string[]): Language {
  return tags.map((tag) => tag.toLowerCase().split("-")[0]).find(isLanguage) ?? "en";
}

function kept(): Language | null {
  try {
    const kept = localStorage.getItem(KEY);
    return isLanguage(kept) ? kept : null;
  } catch {
    return null;
  }
}

let language: Language = typeof navigator === "undefined" ? "en" : (kept() ?? preferred(navigator.languages ?? []));

export const current = (): Language => language;
export const direction = (of: Language = language): "ltr" | "rtl" => (of === "ar" ? "rtl" : "ltr");

/** From now on, and on the next pages of this browser. */
export function choose(next: Language): void {
  language = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Without storage it lasts as long as the page.
  }
}

/** A text, with what stands in it. */
export function t(name: Name, parts: Readonly<Record<string, string | number>> = {}): string {
  return TABLES[language][name].replace(/\{(\w+)\}/g, (_, part: string) => String(parts[part] ?? ""));
}

/** A number of thousandths as the language writes it. */
export function thousandths(milli: number): string {
  const size = Math.abs(milli);
  const mark = COMMA.includes(language) ? "," : ".";
  return `${milli < 0 ? "-" : ""}${Math.floor(size / 1000)}${mark}${String(size % 1000).padStart(3, "0")}`;
}
