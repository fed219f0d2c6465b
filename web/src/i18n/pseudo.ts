// A made-up right-to-left language, for looking at the app mirrored with text that really runs from the right: the
// English messages in Arabic letters. `ar-XB` is the field's code for it; it is in no menu.

import { en } from "./en";
import type { Catalogue } from "./i18n";

const LETTERS: Record<string, string> = {
  a: "ا", b: "ب", c: "ك", d: "د", e: "ي", f: "ف", g: "ج", h: "ه", i: "ي", j: "ج", k: "ك", l: "ل", m: "م",
  n: "ن", o: "و", p: "پ", q: "ق", r: "ر", s: "س", t: "ت", u: "و", v: "ڤ", w: "و", x: "خ", y: "ي", z: "ز",
};

function turned(text: string): string {
  return text
    .split(/(\{\w+\})/u)
    .map((part) => (part.startsWith("{") ? part : [...part].map((letter) => LETTERS[letter.toLowerCase()] ?? letter).join("")))
    .join("");
}

export const pseudo = Object.fromEntries(Object.entries(en).map(([key, text]) => [key, turned(text)])) as Catalogue;
