// All emoji with the words that find them, loaded when somebody looks for one; and those that were used last.

export interface Emoji {
  emoji: string;
  group: number;
  words: string;
}

export const GROUPS = [0, 1, 3, 4, 5, 6, 7, 8, 9] as const;
export type Group = (typeof GROUPS)[number];
export const GROUP_SIGNS: Record<Group, string> = { 0: "😀", 1: "👋", 3: "🐻", 4: "🍎", 5: "🚆", 6: "⚽", 7: "💡", 8: "💜", 9: "🏁" };

const loaded = new Map<string, Promise<Emoji[]>>();

export function allEmoji(language: string): Promise<Emoji[]> {
  const code = language.startsWith("de") ? "de" : "en";
  let list = loaded.get(code);
  if (list === undefined) {
    list = (code === "de" ? import("virtual:emoji/de") : import("virtual:emoji/en")).then((module) =>
      module.default.map(([emoji, group, words]) => ({ emoji, group, words: plain(words) })),
    );
    loaded.set(code, list);
  }
  return list;
}

function plain(words: string): string {
  return words.toLocaleLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
}

/** Those of whose words some begin with each that is looked for: the word itself first, then by where it stands. */
export function findEmoji(all: Emoji[], looked: string, limit = 160): Emoji[] {
  const wanted = plain(looked).split(/\s+/u).filter((word) => word !== "");
  if (wanted.length === 0) return [];
  return all
    .map((row) => ({ row, at: Math.max(...wanted.map((word) => placeOf(row.words, word))) }))
    .filter(({ at }) => at < Infinity)
    .sort((one, other) => one.at - other.at)
    .slice(0, limit)
    .map(({ row }) => row);
}

function placeOf(words: string, word: string): number {
  if (`${words} `.startsWith(`${word} `)) return 0;
  const at = ` ${words}`.indexOf(` ${word}`);
  return at < 0 ? Infinity : at + 1;
}

const RECENT = "roost.emoji";
const MOST_RECENT = 16;

export function recentEmoji(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(0, MOST_RECENT) : [];
  } catch {
    return [];
  }
}

export function usedEmoji(emoji: string): void {
  const kept = [emoji, ...recentEmoji().filter((one) => one !== emoji)].slice(0, MOST_RECENT);
  localStorage.setItem(RECENT, JSON.stringify(kept));
}
