import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Attachment, Conversation, Message } from "../api/types";
import { NoteLine } from "../groups/NoteLine";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import type { Thread } from "../state/thread";
import { Icon } from "../ui/icons";
import { dayName } from "../ui/times";
import { Bubble } from "./Bubble";
import type { MessageActions } from "./MessageMenu";
import { PendingBubble } from "./PendingBubble";
import { guessHeight, rowsOf, type Row } from "./rows";

const NEAR = 1600; // pixels from an end of what is loaded: more is loaded before one gets there
const AT_END = 80;

const EMPTY = { direct: "chat.empty", group: "group.empty", channel: "channel.empty" } as const;

interface Props {
  thread: Thread;
  kind: Conversation["kind"];
  find: string;
  target: { id: string; serial: number } | null;
  selected: ReadonlySet<string> | null;
  actions: MessageActions;
  onJump: (id: string) => void;
  onView: (message: Message, file: Attachment) => void;
}

/** The history: only what is in view is in the page, however long it is. */
export function MessageList(props: Props): ReactNode {
  const { thread, target } = props;
  const roost = useRoost();
  const t = useT();
  const state = useStore(thread.state);
  const allPending = useStore(roost.outgoing.pending);
  const pending = useMemo(() => allPending.filter((row) => row.conversation === thread.conversation), [allPending, thread]);
  const rows = useMemo(() => rowsOf(state.messages, pending, state.unreadFrom, state.earlier, (id) => roost.outgoing.keyOf(id)), [roost, state.messages, pending, state.unreadFrom, state.earlier]);
  const scroller = useRef<HTMLDivElement>(null);
  const [scrolled, setScrolled] = useState(false);
  const away = scrolled || state.later;
  const unread = useStore(roost.conversations).get(thread.conversation)?.unread ?? 0;
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => guessHeight(rows[index]),
    getItemKey: useCallback((index: number) => rows[index]?.key ?? index, [rows]),
    overscan: 8,
    anchorTo: "end",
    followOnAppend: !state.later,
    scrollEndThreshold: AT_END,
    paddingStart: 12,
    paddingEnd: 16,
  });
  useOpening(thread, state.loaded, rows, list.scrollToIndex);
  useTarget(target, rows, list.scrollToIndex);
  useMarkRead(thread, state.messages, away);
  useStayAtEnd(scroller, away, rows.length, list.scrollToIndex);

  useEffect(() => {
    const element = scroller.current; // a page that is shorter than the window brings no scrolling that would load more
    if (element !== null && state.loaded && element.scrollHeight <= element.clientHeight) void thread.loadEarlier().catch(() => undefined);
  }, [thread, state.loaded, state.messages]);

  const onScroll = (): void => {
    const element = scroller.current;
    if (element === null) return;
    const fromEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
    setScrolled(fromEnd > AT_END);
    if (element.scrollTop < NEAR) void thread.loadEarlier().catch(() => undefined);
    if (fromEnd < NEAR) void thread.loadLater().catch(() => undefined);
  };

  const toEnd = (): void => {
    if (state.later) void thread.open().then(() => list.scrollToEnd?.());
    else list.scrollToIndex(rows.length - 1, { align: "end" });
  };

  return (
    <div className="history-frame">
      <div
        className="history"
        ref={scroller}
        onScroll={onScroll}
        role="log"
        aria-label={t("chat.history")}
        tabIndex={0}
      >
        <div className="history-inner" style={{ height: list.getTotalSize() }}>
          {list.getVirtualItems().map((item) => (
            <div
              key={item.key}
              data-index={item.index}
              ref={list.measureElement}
              className="history-row"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <ShownRow row={rows[item.index]} {...props} />
            </div>
          ))}
        </div>
        {state.loaded && rows.length === 0 && <p className="empty-chat">{t(EMPTY[props.kind])}</p>}
      </div>
      {away && (
        <button type="button" className="to-end" onClick={toEnd} aria-label={t("chat.toEnd")}>
          <Icon name="down" />
          {unread > 0 && <span className="count">{unread > 999 ? "999+" : unread}<span className="visually-hidden"> {t("list.unread")}</span></span>}
        </button>
      )}
    </div>
  );
}

type ScrollTo = (index: number, options?: { align?: "start" | "center" | "end" }) => void;

/** Where a conversation opens: at the first unread message, else at its end. */
function useOpening(thread: Thread, loaded: boolean, rows: Row[], scrollTo: ScrollTo): void {
  const opened = useRef<Thread | null>(null);
  useLayoutEffect(() => {
    if (!loaded || opened.current === thread || rows.length === 0) return;
    opened.current = thread;
    const unread = rows.findIndex((row) => row.kind === "unread");
    if (unread >= 0) scrollTo(unread, { align: "start" });
    else scrollTo(rows.length - 1, { align: "end" });
  }, [thread, loaded, rows, scrollTo]);
}

/** A window that gets smaller (a keyboard, the panel, the growing field) does not hide the newest message. */
function useStayAtEnd(scroller: { current: HTMLElement | null }, away: boolean, count: number, scrollTo: ScrollTo): void {
  const latest = useRef({ away, count, scrollTo });
  latest.current = { away, count, scrollTo };
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      const now = latest.current;
      if (!now.away && now.count > 0) now.scrollTo(now.count - 1, { align: "end" });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller]);
}

function useTarget(target: Props["target"], rows: Row[], scrollTo: ScrollTo): void {
  const reached = useRef(0);
  useLayoutEffect(() => {
    if (target === null || reached.current === target.serial) return;
    const index = rows.findIndex((row) => row.kind === "message" && row.message.id === target.id);
    if (index < 0) return;
    reached.current = target.serial;
    scrollTo(index, { align: "center" });
  }, [target, rows, scrollTo]);
}

/** What is seen counts as read: the window has the focus and shows the end. */
function useMarkRead(thread: Thread, messages: Message[], away: boolean): void {
  const roost = useRoost();
  const unread = messages.some((message) => message.from !== "me" && message.state === "received");
  useEffect(() => {
    const mark = (): void => {
      if (!unread || away || !document.hasFocus()) return;
      void roost.client
        .call("mark-read", { conversation: thread.conversation })
        .then(() => {
          for (const message of thread.state.get().messages) {
            if (message.state === "received") thread.replace(message.id, (held) => ({ ...held, state: "read" }));
          }
          roost.refreshConversations();
        })
        .catch(() => undefined);
    };
    mark();
    window.addEventListener("focus", mark);
    return () => window.removeEventListener("focus", mark);
  }, [roost, thread, unread, away]);
}

/** Drawn again only when something of it changed, not for every step of scrolling. */
const ShownRow = memo(function ShownRow({ row, thread, kind, find, target, selected, actions, onJump, onView }: Props & { row: Row | undefined }): ReactNode {
  const t = useT();
  const language = useLanguage();
  const { replied, messages } = useStore(thread.state);
  if (row === undefined) return null;
  switch (row.kind) {
    case "day":
      return <div className="day"><span>{dayName(row.at, language)}</span></div>;
    case "unread":
      return <div className="unread-line"><span>{t("chat.unread")}</span></div>;
    case "note":
      return <NoteLine message={row.message} flash={target?.id === row.message.id} />;
    case "pending":
      return <PendingBubble pending={row.pending} />;
    case "message": {
      const { message } = row;
      const answered = message.reply_to === null ? undefined : (messages.find((held) => held.id === message.reply_to) ?? replied[message.reply_to]);
      return (
        <Bubble
          message={message}
          kind={kind}
          replied={answered}
          first={row.first}
          find={find}
          flash={target?.id === message.id}
          selected={selected === null ? null : selected.has(message.id)}
          actions={actions}
          onJump={onJump}
          onView={onView}
        />
      );
    }
  }
});
