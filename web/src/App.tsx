import { lazy, Suspense, useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import type { Conversation, HostState } from "./api/types";
import { Chat } from "./chat/Chat";
import { ChannelPanel } from "./groups/ChannelPanel";
import { GroupPanel } from "./groups/GroupPanel";
import { NewChannel } from "./groups/NewChannel";
import { NewGroup } from "./groups/NewGroup";
import { useT } from "./i18n/i18n";
import { AddPerson } from "./people/AddPerson";
import { CompareReminder } from "./people/CompareReminder";
import { ConversationList } from "./people/ConversationList";
import { Profiles } from "./people/Profiles";
import { RoutePanel } from "./people/RoutePanel";
import { useAutoLock, useGroupNotices, useNotifications, useTitle, useWarnings } from "./state/attention";
import { useRoost } from "./state/roost";
import { useStore } from "./state/store";
import { useShortcuts } from "./ui/shortcuts";
import { Button } from "./ui/controls";

const Settings = lazy(() => import("./settings/Settings"));

type Opened = "add" | "group" | "channel" | "settings" | "relays" | "carriers" | "profiles" | null;

/** The messenger: the list, the conversation, and what is opened over them. */
export function App({ host, onLock }: { host: HostState; onLock: (() => void) | null }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [open, setOpen] = useState<{ id: string; target: string | null } | null>(null);
  const [dialog, setDialog] = useState<Opened>(null);
  const [panel, setPanel] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const conversations = useStore(roost.conversations);
  const conversation = open === null ? undefined : conversations.get(open.id);
  const show = useCallback((id: string, target?: string) => setOpen({ id, target: target ?? null }), []);
  useTitle();
  useGroupNotices();
  useWarnings();
  useNotifications(open?.id ?? null, show);
  useAutoLock(onLock);
  useShortcuts({
    search: () => search.current?.focus(),
    add: () => setDialog("add"),
    group: () => setDialog("group"),
    settings: () => setDialog("settings"),
    panel: () => setPanel((shown) => !shown),
    lock: () => onLock?.(),
    profiles: () => setDialog("profiles"),
    close: () => { if (dialog === null && !panel) setOpen(null); else setPanel(false); },
  });
  const { id, kind } = conversation ?? { id: "", kind: "direct" };
  useEffect(() => { // names of people who are no contacts, and what may be done
    if (kind === "group") void roost.groups.load(id).catch(() => undefined);
    if (kind === "channel") void roost.groups.loadChannel(id).catch(() => undefined);
  }, [roost, id, kind]);
  useEffect(() => {
    if (open !== null && conversations.size > 0 && conversation === undefined) {
      const timer = window.setTimeout(() => setOpen(null), 1500);
      return () => window.clearTimeout(timer);
    }
    return undefined;
  }, [open, conversations, conversation]);

  return (
    <div className={conversation ? "app chatting" : "app"}>
      <ConversationList open={open?.id ?? null} onOpen={show} onAdd={setDialog} onSettings={() => setDialog("settings")} onProfiles={() => setDialog("profiles")} onLock={onLock} search={search} />
      <main className="main">
        {conversation ? (
          <Chat key={conversation.id} conversation={conversation} target={open?.target ?? null} panel={panel} onPanel={setPanel} onBack={() => setOpen(null)} />
        ) : (
          <Welcome onAdd={() => setDialog("add")} />
        )}
      </main>
      {conversation && panel && <Panel conversation={conversation} onClose={() => setPanel(false)} onOpen={show} onRelays={() => setDialog("relays")} onCarriers={() => setDialog("carriers")} />}
      {dialog === "add" && <AddPerson onClose={() => setDialog(null)} onAdded={show} onMore={setDialog} />}
      {dialog === "group" && <NewGroup onClose={() => setDialog(null)} onMade={show} />}
      {dialog === "channel" && <NewChannel onClose={() => setDialog(null)} onMade={show} />}
      {dialog === "profiles" && <Profiles client={roost.client} onClose={() => setDialog(null)} onLock={onLock} />}
      {(dialog === "settings" || dialog === "relays" || dialog === "carriers") && <Suspense fallback={<p className="visually-hidden">{t("common.wait")}</p>}><Settings host={host} first={dialog === "settings" ? "profile" : dialog} onClose={() => setDialog(null)} /></Suspense>}
      <CompareReminder />
    </div>
  );
}

/** Who and what a conversation is, beside it. */
function Panel({ conversation, onClose, onOpen, ...settings }: { conversation: Conversation; onClose: () => void; onOpen: (id: string) => void; onRelays: () => void; onCarriers: () => void }): ReactNode {
  switch (conversation.kind) {
    case "group":
      return <GroupPanel key={conversation.id} conversation={conversation} onClose={onClose} onOpen={onOpen} />;
    case "channel":
      return <ChannelPanel key={conversation.id} conversation={conversation} onClose={onClose} />;
    default:
      return <RoutePanel conversation={conversation} onClose={onClose} {...settings} />;
  }
}

function Welcome({ onAdd }: { onAdd: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const conversations = useStore(roost.conversations);
  const loaded = useStore(roost.loaded);
  if (!loaded) return <div className="welcome" aria-busy="true" />;
  return (
    <div className="welcome">
      <img src="/icon.svg" alt="" width="72" height="72" />
      <h2>{t(conversations.size === 0 ? "welcome.first" : "welcome.choose")}</h2>
      <p className="hint">{t("welcome.private")}</p>
      {conversations.size === 0 && <Button kind="primary" onPress={onAdd}>{t("add.title")}</Button>}
    </div>
  );
}
