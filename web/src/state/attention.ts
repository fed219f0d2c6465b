// What calls for the person: the title's count, notifications, and locking when nobody is there.

import { useEffect, useRef } from "react";
import { summary } from "../chat/Bubble";
import { useT, type Key } from "../i18n/i18n";
import { cleanName } from "../ui/text";
import { useRoost } from "./roost";
import { notify } from "./toasts";
import { useStore } from "./store";

export function useTitle(): void {
  const roost = useRoost();
  const conversations = useStore(roost.conversations);
  const requests = useStore(roost.requests);
  const joining = useStore(roost.groups.requests);
  useEffect(() => {
    const rows = [...conversations.values()].filter((row) => row.muted_until === null && !row.archived);
    const count = rows.reduce((sum, row) => sum + row.unread, 0) + requests.length + joining.length;
    document.title = count > 0 ? `(${count}) Roost` : "Roost";
  }, [conversations, requests, joining]);
}

export function useNotifications(open: string | null, onOpen: (id: string) => void): void {
  const roost = useRoost();
  const t = useT();
  const { notifications } = useStore(roost.preferences.choices);
  useEffect(() => {
    roost.onMessage = (message) => {
      const row = roost.conversations.get().get(message.conversation);
      const watched = document.hasFocus() && open === message.conversation;
      const meant = message.mentions.some((mention) => mention.member === "me"); // whoever is meant is told, muted or not
      if (watched || notifications === "off" || (row?.muted_until && !meant) || Notification.permission !== "granted") return;
      const said = notifications === "full" ? summary(message, t("message.deleted")) : t("notify.new");
      const body = notifications === "full" && row && row.kind !== "direct" ? `${cleanName(message.from_name)}: ${said}` : said;
      const title = notifications === "hidden" ? "Roost" : cleanName(row?.name ?? "Roost");
      show(title, body, message.conversation, () => onOpen(message.conversation));
    };
    roost.onRequest = (request) => {
      if (document.hasFocus() || notifications === "off" || Notification.permission !== "granted") return;
      const name = cleanName(request.name);
      show("Roost", notifications === "hidden" ? t("notify.request") : t("notify.requestOf", { name }), request.id, () => undefined);
    };
  }, [roost, t, notifications, open, onOpen]);
}

/** A click on it brings the window to the front. */
function show(title: string, body: string, tag: string, open: () => void): void {
  const shown = new Notification(title, { body, tag, icon: "/icon.svg" });
  shown.onclick = () => {
    window.focus();
    open();
    shown.close();
  };
}

export function useAutoLock(onLock: (() => void) | null): void {
  const roost = useRoost();
  const { lockAfter } = useStore(roost.preferences.choices);
  const lock = useRef(onLock);
  lock.current = onLock;
  useEffect(() => {
    if (lockAfter === "never") return;
    let timer = 0;
    const again = (): void => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => lock.current?.(), Number(lockAfter) * 60_000);
    };
    again();
    const signs = ["pointerdown", "keydown", "wheel"] as const;
    for (const sign of signs) window.addEventListener(sign, again, { passive: true });
    return () => {
      window.clearTimeout(timer);
      for (const sign of signs) window.removeEventListener(sign, again);
    };
  }, [lockAfter]);
}

const WARNINGS: Record<string, Key> = { session_reset: "warning.renewed", older_copy: "warning.olderCopy", forked_device_list: "warning.forked" };

/** What a person should know of a conversation's keys. */
export function useWarnings(): void {
  const roost = useRoost();
  const t = useT();
  useEffect(() => {
    roost.onWarning = (code, conversation) => {
      const key = WARNINGS[code];
      if (key) notify(t(key, { name: cleanName(roost.nameOf(conversation)) }), code === "session_reset" ? "info" : "error");
    };
  }, [roost, t]);
}

/** What befalls a group, or one's way into it, and stands nowhere else. */
export function useGroupNotices(): void {
  const roost = useRoost();
  const t = useT();
  useEffect(() => {
    roost.onGroup = (change, title) => {
      if (change === "refused" && roost.groups.asked === 0) notify(t("group.refused"), "error");
      else if (change === "join-failed") notify(t("group.joinFailed", { title: cleanName(title) }), "error");
    };
  }, [roost, t]);
}
