// What the list shows, line by line: days, the unread line, messages, and what is still on its way out.

import type { Message } from "../api/types";
import type { Pending } from "../state/outgoing";
import { dayOf } from "../ui/times";

export type Row =
  | { kind: "day"; key: string; at: string }
  | { kind: "unread"; key: string }
  | { kind: "note"; key: string; message: Message }
  | { kind: "message"; key: string; message: Message; first: boolean }
  | { kind: "pending"; key: string; pending: Pending };

const GROUP_MS = 5 * 60_000;

/** Rows have keys that stay when earlier or later ones come: what is seen stays where it is by them. So above the first
 *  message there is no day while there are `earlier` ones, it may not be the day's first. */
export function rowsOf(messages: Message[], pending: Pending[], unreadFrom: string, earlier: boolean, keyOf: (id: string) => string): Row[] {
  const rows: Row[] = [];
  let before: Message | undefined;
  for (const message of messages) {
    const newDay = before === undefined || dayOf(before.sent_at) !== dayOf(message.sent_at);
    if (newDay && (before !== undefined || !earlier)) rows.push({ kind: "day", key: `day-${dayOf(message.sent_at)}-${message.id}`, at: message.sent_at });
    if (message.id === unreadFrom) rows.push({ kind: "unread", key: "unread" });
    if (message.note !== null) {
      rows.push({ kind: "note", key: message.id, message });
      before = message;
      continue;
    }
    const near = before !== undefined && before.note === null && Date.parse(message.sent_at) - Date.parse(before.sent_at) < GROUP_MS;
    rows.push({ kind: "message", key: keyOf(message.id), message, first: newDay || !near || before?.from !== message.from });
    before = message;
  }
  for (const row of pending) rows.push({ kind: "pending", key: row.key, pending: row });
  return rows;
}

/** A guess until it is measured. */
export function guessHeight(row: Row | undefined): number {
  if (row === undefined) return 40;
  if (row.kind === "day" || row.kind === "unread") return 44;
  if (row.kind === "note") return 32;
  const text = row.kind === "message" ? row.message.text : row.pending.text;
  const files = row.kind === "message" ? row.message.attachments.length : row.pending.files.length;
  if (row.kind === "message" && row.message.attachments[0]?.height) return 300;
  if (row.kind === "message" && row.message.poll !== null) return 110 + row.message.poll.options.length * 48;
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 52)), 0);
  return 22 + Math.min(lines, 60) * 21 + files * 90;
}
