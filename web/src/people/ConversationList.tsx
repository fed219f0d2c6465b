import { useEffect, useMemo, useState, type KeyboardEvent, type ReactNode } from "react";
import type { Conversation, Message } from "../api/types";
import { Marks } from "../chat/Marks";
import { summary } from "../chat/Bubble";
import { Introduced } from "../groups/Invited";
import { JoinRequests } from "../groups/JoinRequests";
import { lastLine, standing, typingText } from "../groups/words";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { IconButton, Menu } from "../ui/controls";
import { Icon, type IconName } from "../ui/icons";
import { Markup } from "../ui/Markup";
import { cleanName } from "../ui/text";
import { brief } from "../ui/times";
import { ConnectionBar } from "./ConnectionBar";
import { Introductions } from "./Introductions";
import { Requests } from "./Requests";

interface Props {
  open: string | null;
  onOpen: (id: string, target?: string) => void;
  onAdd: (what: "add" | "group" | "channel") => void;
  onSettings: () => void;
  onProfiles: () => void;
  onLock: (() => void) | null;
  search: { current: HTMLInputElement | null };
}

export function ConversationList({ open, onOpen, onAdd, onSettings, onProfiles, onLock, search }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const all = useStore(roost.conversations);
  const loaded = useStore(roost.loaded);
  const me = useStore(roost.me);
  const [words, setWords] = useState("");
  const [wanted, setArchive] = useState(false);
  const archived = [...all.values()].some((row) => row.archived);
  const archive = wanted && archived; // an empty archive would be a dead end
  const rows = useMemo(() => sorted([...all.values()], words, archive), [all, words, archive]);
  const hits = useHits(words);
  return (
    <nav className="sidebar" aria-label={t("list.title")}>
      <header className="sidebar-head">
        <h1>Roost</h1>
        <button type="button" className="me" onClick={onProfiles} aria-label={t("profiles.mine", { name: cleanName(me?.name ?? "") })} title={t("profiles.title")}>
          <Avatar id={me?.account ?? ""} name={me?.name ?? ""} picture={me?.picture ?? ""} client={roost.client} size="small" />
        </button>
        <IconButton icon="plus" label={t("add.title")} onPress={() => onAdd("add")} />
        <Menu
          label={t("list.menu")}
          choices={[
            { id: "add", label: t("add.title"), icon: "plus", run: () => onAdd("add") },
            { id: "group", label: t("group.new"), icon: "people", run: () => onAdd("group") },
            { id: "channel", label: t("channel.new"), icon: "channel", run: () => onAdd("channel") },
            { id: "profiles", label: t("profiles.title"), icon: "person", run: onProfiles },
            { id: "settings", label: t("settings.title"), icon: "gear", run: onSettings },
            ...(archived ? [{ id: "archive", label: t(archive ? "list.current" : "list.archive"), icon: "archive" as const, run: () => setArchive(!archive) }] : []),
            ...(onLock ? [{ id: "lock", label: t("lock.now"), icon: "lock" as const, run: onLock }] : []),
          ]}
        />
      </header>
      <div className="search-box">
        <Icon name="search" size={18} />
        <input ref={search} type="search" dir="auto" value={words} onChange={(event) => setWords(event.target.value)} placeholder={t("list.search")} aria-label={t("list.search")} />
      </div>
      <ConnectionBar />
      <div className="sidebar-scroll">
        <Requests onAccepted={onOpen} />
        <JoinRequests />
        <Introduced />
        <Introductions onAsked={onOpen} />
        {archive && <p className="list-label">{t("list.archive")}</p>}
        <ul className="conversations" onKeyDown={arrows}>
          {rows.map((row) => (
            <li key={row.id}><Row row={row} open={row.id === open} onOpen={() => onOpen(row.id)} /></li>
          ))}
        </ul>
        {words !== "" && hits.length > 0 && <Hits hits={hits} words={words} onOpen={onOpen} />}
        {loaded && rows.length === 0 && words === "" && <p className="hint centred">{t("list.empty")}</p>}
        {words !== "" && rows.length === 0 && hits.length === 0 && <p className="hint centred">{t("find.none")}</p>}
      </div>
    </nav>
  );
}

function sorted(rows: Conversation[], words: string, archive: boolean): Conversation[] {
  const wanted = words.toLocaleLowerCase();
  const time = (row: Conversation): number => (row.last ? Date.parse(row.last.sent_at) : 0);
  return rows
    .filter((row) => (wanted === "" ? row.archived === archive : row.name.toLocaleLowerCase().includes(wanted)))
    .sort((a, b) => Number(b.pinned) - Number(a.pinned) || time(b) - time(a) || a.name.localeCompare(b.name));
}

/** Arrow keys move between rows. */
function arrows(event: KeyboardEvent<HTMLUListElement>): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const buttons = [...event.currentTarget.querySelectorAll<HTMLButtonElement>("button.row")];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  event.preventDefault();
  buttons[Math.max(0, Math.min(buttons.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))]?.focus();
}

function Row({ row, open, onOpen }: { row: Conversation; open: boolean; onOpen: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const typing = typingText(roost, row, useStore(roost.typing).get(row.id), t);
  const name = cleanName(row.name);
  const muted = row.muted_until !== null;
  return (
    <button type="button" className={open ? "row open" : "row"} onClick={onOpen} aria-current={open ? "true" : undefined}>
      <Avatar id={row.id} name={row.name} picture={row.picture} client={roost.client} />
      <span className="row-text">
        <span className="row-top">
          {row.kind !== "direct" && <Sign icon={row.kind === "group" ? "people" : "channel"} says={row.kind === "group" ? t("group.count.other", { n: row.members }) : t("channel.kind")} />}
          <bdi className="row-name">{name}</bdi>
          {row.verified && <Sign icon="shield" says={t("contact.verified")} />}
          {muted && <Sign icon="mute" says={t("list.muted")} />}
          {row.pinned && <Sign icon="pin" says={t("list.pinned")} />}
          {row.last && <time className="row-time" dateTime={row.last.sent_at}>{brief(row.last.sent_at, language)}</time>}
        </span>
        <span className="row-bottom">
          {row.last?.from === "me" && row.draft === "" && typing === "" && row.last.note === null && <Marks state={row.last.state} />}
          <span className="row-last" dir="auto"><Last row={row} typing={typing} /></span>
          {row.requests > 0 && <span className="asking" title={t("join.requests.badge.other", { n: row.requests })}><Icon name="person" size={13} />{row.requests}<span className="visually-hidden"> {t("join.requests.badge.other", { n: row.requests })}</span></span>}
          {row.mentions > 0 && <span className="unread" title={t("mention.me")}>@<span className="visually-hidden"> {t("mention.me")}</span></span>}
          {row.unread > 0 && (
            <span className={muted ? "unread muted" : "unread"}>
              {row.unread > 999 ? "999+" : row.unread}<span className="visually-hidden"> {t("list.unread")}</span>
            </span>
          )}
        </span>
      </span>
    </button>
  );
}

function Sign({ icon, says }: { icon: IconName; says: string }): ReactNode {
  return (
    <span className={icon === "shield" ? "verified" : "sign"} title={says}>
      <Icon name={icon} size={14} /><span className="visually-hidden">{says}</span>
    </span>
  );
}

function Last({ row, typing }: { row: Conversation; typing: string }): ReactNode {
  const t = useT();
  if (typing !== "") return <span className="typing">{typing}</span>;
  if (row.draft.trim() !== "") return <><span className="draft">{t("list.draft")}</span> {row.draft.slice(0, 120)}</>;
  if (row.state === "requested") return t("contact.requested");
  if (row.state === "blocked") return t("contact.blocked");
  const outside = standing(row.group_state);
  if (outside !== null && outside !== "standing.lost" && row.last === null) return t(outside);
  return row.last ? lastLine(row, summary(row.last, t("message.deleted")), t) : t("list.nothing");
}

function useHits(words: string): Message[] {
  const roost = useRoost();
  const [hits, setHits] = useState<Message[]>([]);
  useEffect(() => {
    if (words.trim().length < 2) {
      setHits([]);
      return;
    }
    const timer = window.setTimeout(() => {
      void roost.client.call("search", { words, limit: 50 }).then((page) => setHits(page.messages.reverse())).catch(() => undefined);
    }, 200);
    return () => window.clearTimeout(timer);
  }, [roost, words]);
  return hits;
}

function Hits({ hits, words, onOpen }: { hits: Message[]; words: string; onOpen: (id: string, target?: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  return (
    <>
      <p className="list-label">{t("list.messages")}</p>
      <ul className="conversations">
        {hits.map((message) => (
          <li key={message.id}>
            <button type="button" className="row hit" onClick={() => onOpen(message.conversation, message.id)}>
              <span className="row-text">
                <span className="row-top">
                  <bdi className="row-name">{cleanName(roost.nameOf(message.conversation))}</bdi>
                  <time className="row-time">{brief(message.sent_at, language)}</time>
                </span>
                <span className="hit-text"><Markup text={message.text.slice(0, 160)} find={words} /></span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
