// What may be done with messages here. The agent has the last word; this only hides what it would refuse.

import type { GroupInfo } from "../api/groups";
import type { Conversation, Message } from "../api/types";

export function mayPin(row: Conversation | undefined, info: GroupInfo | undefined): boolean {
  if (row?.kind === "group") return info?.may.includes("pin") ?? false;
  if (row?.kind === "channel") return row.role === "moderator" || row.role === "owner";
  return true;
}

export function mayBan(row: Conversation | undefined): boolean {
  return row?.kind === "channel" && (row.role === "moderator" || row.role === "owner");
}

export function mayReact(row: Conversation | undefined): boolean {
  if (row?.kind === "group") return row.group_state === "active" && row.role !== "read-only";
  return row?.kind !== "channel" || row.may_post;
}

/** For everyone: one's own, and as a moderator others'. */
export function mayDelete(row: Conversation, message: Message): boolean {
  if (message.deleted || message.note !== null) return false;
  if (message.from === "me") return true;
  if (row.kind === "group") return row.group_state === "active" && (row.role === "moderator" || row.role === "admin");
  return mayBan(row);
}
