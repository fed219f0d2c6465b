// Text from others, made harmless before it is shown: React escapes HTML; this takes out what plays tricks on the eye.

const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/gu;
const MARKS = /(\p{M}{4})\p{M}+/gu;

/** A name on one line: no direction overrides, no line ends, no towers of marks, not endless. */
export function cleanName(name: string, limit = 80): string {
  const plain = name.replace(BIDI_CONTROLS, "").replace(CONTROLS, " ").replace(/\s+/gu, " ").replace(MARKS, "$1").trim();
  const letters = [...plain];
  return letters.length > limit ? `${letters.slice(0, limit - 1).join("")}…` : plain || "?";
}

/** A message's text: direction overrides cannot reach beyond it (the element isolates), marks cannot pile up. */
export function cleanText(text: string): string {
  return text.replace(/[\u202a-\u202e]/gu, "").replace(/\r\n?/gu, "\n").replace(MARKS, "$1");
}

export const cleanMarks = /^\p{M}/u;

/** A direction override: it would reach beyond the letters that it stands before. */
export function isHidden(letter: string): boolean {
  return letter >= "\u202a" && letter <= "\u202e";
}

export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function fileSize(bytes: number, language: string): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: units[unit] ?? "byte",
    unitDisplay: "short",
    maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
  }).format(value);
}
