// Groups in people's words: what changed, what waits, how one stands to a group.

import type { Note, WaitingChange } from "../api/groups";
import type { Conversation, Message } from "../api/types";
import type { Key, Translate } from "../i18n/i18n";
import type { Roost } from "../state/roost";
import { cleanName } from "../ui/text";

const ROLES: Record<string, Key> = { admin: "role.admin", moderator: "role.moderator", member: "role.member", "read-only": "role.read-only", reader: "role.reader", poster: "role.poster", owner: "role.owner" };

export function roleName(role: string, t: Translate): string {
  return ROLES[role] ? t(ROLES[role]) : role;
}

/** A line between messages: "Ann added Bob". Each has a form for oneself, who is told in the second person. */
export function noteText(message: Message, t: Translate): string {
  const note = message.note;
  if (note === null) return message.text;
  const by = cleanName(message.from_name);
  const name = cleanName(note.name);
  const mine = message.from === "me";
  const aboutMe = note.member === "me";
  const own = note.member !== "" && note.member === message.from;
  const detail = note.change === "role" ? roleName(note.detail, t) : note.change === "timer" ? timer(note.detail, t) : cleanName(note.detail);
  const key = noteKey(note, mine, aboutMe, own);
  return key === null ? message.text : t(key, { by, name, detail });
}

const COMES_AND_GOES = new Set(["added", "removed", "banned"]);
const SAID = new Set(["created", "added", "removed", "banned", "unbanned", "role", "title", "description", "avatar", "timer", "timerOff", "permissions", "reopened"]);

function noteKey(note: Note, mine: boolean, aboutMe: boolean, own: boolean): Key | null {
  let change = note.change;
  if (change === "timer" && Number(note.detail) === 0) change = "timerOff";
  if (own && COMES_AND_GOES.has(change)) return change === "added" ? (mine ? "note.joined.me" : "note.joined") : mine ? "note.left.me" : "note.left";
  if (change === "left") return aboutMe ? "note.left.me" : "note.leftThem";
  if (change === "rejoined") return aboutMe ? "note.rejoined.me" : "note.rejoined";
  if (change === "unsent") return "note.unsent";
  if (change === "joined") return mine ? "note.in" : "note.added.toMe";
  if (!SAID.has(change)) return null;
  const whom = aboutMe && ["added", "removed", "banned", "unbanned", "role"].includes(change) ? ".toMe" : "";
  return `note.${change}${mine ? ".me" : whom}` as Key;
}

const TIMERS: Record<string, Key> = { "30": "timer.30", "300": "timer.300", "3600": "timer.3600", "86400": "timer.86400", "604800": "timer.604800", "2419200": "timer.2419200" };

function timer(seconds: string, t: Translate): string {
  return TIMERS[seconds] ? t(TIMERS[seconds]) : t("timer.seconds", { n: Number(seconds) || 0 });
}

const WAITING: Record<string, Key> = { added: "waiting.added", removed: "waiting.removed", banned: "waiting.banned", unbanned: "waiting.unbanned", role: "waiting.role", moved: "waiting.moved" };

/** What was asked for and has not come about. */
export function waitingText(change: WaitingChange, t: Translate): string {
  const said = t(WAITING[change.done] ?? "waiting.settings", { name: cleanName(change.name) });
  return change.reason === "" ? said : `${said} ${t("waiting.keys")}`;
}

/** How one stands to a group where that is not simply being in it; empty: one is. */
export function standing(state: string): Key | null {
  switch (state) {
    case "joining": return "standing.joining";
    case "asked": return "standing.asked";
    case "lost": return "standing.lost";
    case "removed": return "standing.removed";
    case "left": return "standing.left";
    case "stopped": return "standing.stopped";
    default: return null;
  }
}

/** Why nothing can be written here. */
export function whyNot(conversation: Conversation): Key {
  if (conversation.kind === "channel") return "channel.readOnly";
  return standing(conversation.group_state) ?? "group.readOnly";
}

export function isOver(state: string): boolean {
  return state === "left" || state === "removed";
}

/** Who types in a conversation; empty: nobody. */
export function typingText(roost: Roost, row: Conversation, who: ReadonlyMap<string, number> | undefined, t: Translate): string {
  if (who === undefined) return "";
  if (row.kind === "direct") return t("chat.typing");
  const names = [...who.keys()].map((id) => cleanName(roost.nameIn(row.id, id), 30));
  if (names.length > 2) return t("typing.many", { n: names.length });
  return t(names.length === 2 ? "typing.two" : "typing.one", { name: names[0] ?? "", other: names[1] ?? "" });
}

/** The last message in the list: in groups with who said it. */
export function lastLine(row: Conversation, said: string, t: Translate): string {
  const { last } = row;
  if (last === null) return said;
  if (last.note !== null) return noteText(last, t);
  if (row.kind === "direct" || last.from === "me" || last.from_name === "") return said;
  return `${cleanName(last.from_name, 30)}: ${said}`;
}
