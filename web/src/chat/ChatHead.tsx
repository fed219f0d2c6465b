import { useState, type ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { ContactDialogs, type ContactDialog } from "../people/ContactDialogs";
import { useRoost, type Link } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { IconButton, Menu, type Choice } from "../ui/controls";
import { Icon } from "../ui/icons";
import { cleanName } from "../ui/text";

interface Props {
  conversation: Conversation;
  panel: boolean;
  onPanel: (open: boolean) => void;
  onBack: () => void;
  onFind: () => void;
  onDate: () => void;
}

export function ChatHead({ conversation, panel, onPanel, onBack, onFind, onDate }: Props): ReactNode {
  const t = useT();
  const roost = useRoost();
  const [dialog, setDialog] = useState<ContactDialog>(null);
  const name = cleanName(conversation.name);
  const arrange = (change: { pinned?: boolean; archived?: boolean; mute_s?: number }): void =>
    void roost.attemptTo(async () => roost.put(await roost.client.call("arrange", { conversation: conversation.id, ...change })));
  const muted = conversation.muted_until !== null;
  const choices: (Choice | "line")[] = [
    { id: "find", label: t("chat.find"), icon: "search", run: onFind },
    { id: "date", label: t("chat.jumpToDate"), icon: "calendar", run: onDate },
    { id: "verify", label: t("contact.verify"), icon: "shield", run: () => setDialog("verify") },
    { id: "timer", label: t("contact.timer"), icon: "timer", run: () => setDialog("timer") },
    "line",
    { id: "pin", label: t(conversation.pinned ? "chat.unpin" : "chat.pin"), icon: "pin", run: () => arrange({ pinned: !conversation.pinned }) },
    { id: "mute", label: t(muted ? "chat.unmute" : "chat.mute"), icon: "mute", run: () => arrange({ mute_s: muted ? 0 : -1 }) },
    { id: "archive", label: t(conversation.archived ? "chat.unarchive" : "chat.archive"), icon: "archive", run: () => arrange({ archived: !conversation.archived }) },
    "line",
    { id: "rename", label: t("contact.rename"), icon: "edit", run: () => setDialog("rename") },
    { id: "introduce", label: t("contact.introduce"), icon: "person", run: () => setDialog("introduce") },
    { id: "export", label: t("chat.export"), icon: "export", run: () => setDialog("export") },
    { id: "clear", label: t("chat.clear"), icon: "trash", danger: true, run: () => setDialog("clear") },
    { id: "block", label: t(conversation.state === "blocked" ? "contact.unblock" : "contact.block"), icon: "block", danger: true, run: () => setDialog("block") },
    { id: "delete", label: t("contact.delete"), icon: "trash", danger: true, run: () => setDialog("delete") },
  ];
  return (
    <header className="chat-head">
      <span className="only-narrow"><IconButton icon="back" label={t("common.back")} onPress={onBack} /></span>
      <button type="button" className="chat-who" onClick={() => onPanel(!panel)} aria-expanded={panel} title={t("chat.about", { name })}>
        <Avatar id={conversation.id} name={conversation.name} picture={conversation.picture} client={roost.client} />
        <span className="chat-title">
          <span className="chat-name">
            <bdi>{name}</bdi>
            {conversation.verified && <span className="verified" title={t("contact.verified")}><Icon name="shield" size={16} /></span>}
            {conversation.timer_s > 0 && <span className="timed" title={t("contact.timer")}><Icon name="timer" size={16} /><span className="visually-hidden">{t("contact.timer")}</span></span>}
          </span>
          <Presence conversation={conversation} />
        </span>
      </button>
      <IconButton icon="search" label={t("chat.find")} onPress={onFind} />
      <IconButton icon="route" label={t("route.title")} active={panel} onPress={() => onPanel(!panel)} />
      <Menu label={t("chat.more")} choices={choices} />
      <ContactDialogs conversation={conversation} open={dialog} onClose={() => setDialog(null)} />
    </header>
  );
}

/** Typing, what waits and why, or the contact's own status: the most telling one. */
function Presence({ conversation }: { conversation: Conversation }): ReactNode {
  const t = useT();
  const roost = useRoost();
  const typing = useStore(roost.typing).has(conversation.id);
  const link = useStore(roost.link);
  const text = presence(conversation, typing, link, t);
  return <span className={typing ? "presence typing" : "presence"} role="status" dir="auto">{text}</span>;
}

function presence(conversation: Conversation, typing: boolean, link: Link, t: ReturnType<typeof useT>): string {
  const name = cleanName(conversation.name);
  if (typing) return t("chat.typing");
  if (conversation.key_changed) return t("contact.keyChanged");
  if (conversation.state === "requested") return t("contact.requested");
  if (conversation.state === "blocked") return t("contact.blocked");
  if (conversation.waiting > 0 && conversation.held) return t("chat.held.other", { n: conversation.waiting });
  if (conversation.waiting > 0) {
    return t(link === "online" ? "chat.waitingTheirs.other" : "chat.waitingMine.other", { n: conversation.waiting, name });
  }
  return conversation.status === "" ? t(`network.${conversation.network}`) : cleanName(conversation.status, 120);
}
