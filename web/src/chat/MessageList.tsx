import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Attachment, Conversation, Message } from "../api/types";
import { NoteLine } from "../groups/NoteLine";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import type { Pending } from "../state/outgoing";
import type { Thread } from "../state/thread";
import { Icon } from "../ui/icons";
import { dayName } from "../ui/times";
import { AT_END, useAnchor, type Target } from "./anchor";
import { Bubble } from "./Bubble";
import type { MessageActions } from "./MessageMenu";
import { PendingBubble } from "./PendingBubble";
import { guessHeight, rowsOf, type Row } from "./rows";

const NEAR = 1600; // pixels from an end of what is loaded: more is loaded before one gets there

const EMPTY = { direct: "chat.empty", group: "group.empty", channel: "channel.empty" } as const;

interface Props {
  thread: Thread;
  kind: Conversation["kind"];
  find: string;
  target: Target | null;
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
  const [above, setAbove] = useState(false);
  const away = above || state.later;
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
  const { toEnd, scrolled } = useAnchor(list, rows, state.loaded ? state.opening : 0, target);
  const goToEnd = (): void => void (state.later ? thread.open().then((shown) => shown && toEnd(), () => undefined) : toEnd());
  useMarkRead(thread, state.messages, away);
  useOwnSeen(pending, goToEnd);

  const grow = useCallback((): void => {
    const element = scroller.current;
    if (element === null || !thread.state.get().loaded) return;
    if (element.scrollTop < NEAR) void thread.loadEarlier().catch(() => undefined);
    if (fromEnd(element) < NEAR) void thread.loadLater().catch(() => undefined);
  }, [thread]);
  useEffect(grow, [grow, state.messages]); // at an end, or in a page shorter than the window, no scrolling asks for more

  const onScroll = (): void => {
    const element = scroller.current;
    if (element === null) return;
    setAbove(fromEnd(element) > AT_END);
    scrolled(fromEnd(element));
    grow();
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
        <button type="button" className="to-end" onClick={goToEnd} aria-label={t("chat.toEnd")}>
          <Icon name="down" />
          {unread > 0 && <span className="count">{unread > 999 ? "999+" : unread}<span className="visually-hidden"> {t("list.unread")}</span></span>}
        </button>
      )}
    </div>
  );
}

function fromEnd(element: HTMLElement): number {
  return element.scrollHeight - element.scrollTop - element.clientHeight;
}

/** What one says oneself is seen, wherever one was reading. */
function useOwnSeen(pending: Pending[], goToEnd: () => void): void {
  const said = pending.findLast((row) => !row.interrupted)?.key;
  const go = useRef(goToEnd);
  go.current = goToEnd;
  useEffect(() => {
    if (said !== undefined) go.current();
  }, [said]);
}

/** What is seen counts as read: the window has the focus and shows the end. */
function useMarkRead(thread: Thread, messages: Message[], away: boolean): void {
  const roost = useRoost();
  const newest = messages.findLast((message) => message.from !== "me" && message.state === "received")?.id;
  useEffect(() => {
    const mark = (): void => {
      if (newest === undefined || away || !document.hasFocus()) return;
      const seen = thread.state.get().messages.filter((message) => message.state === "received");
      void roost.client
        .call("mark-read", { conversation: thread.conversation })
        .then(() => {
          for (const { id } of seen) thread.replace(id, (held) => ({ ...held, state: "read" }));
          roost.refreshConversations();
        })
        .catch(() => undefined);
    };
    mark();
    window.addEventListener("focus", mark);
    return () => window.removeEventListener("focus", mark);
  }, [roost, thread, newest, away]);
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
