import { useState, type ReactNode } from "react";
import type { Conversation } from "../api/types";
import { ChannelDialogs } from "../groups/ChannelDialogs";
import { GroupDialogs } from "../groups/GroupDialogs";
import { isOver, standing, typingText } from "../groups/words";
import { useT, type Translate } from "../i18n/i18n";
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
  onPoll: () => void;
}

const PANELS = {
  direct: { icon: "route", label: "route.title" },
  group: { icon: "people", label: "group.about" },
  channel: { icon: "channel", label: "channel.about" },
} as const;

export function ChatHead({ conversation, panel, onPanel, onBack, onFind, onDate, onPoll }: Props): ReactNode {
  const t = useT();
  const roost = useRoost();
  const [dialog, setDialog] = useState<ContactDialog>(null);
  const [leaving, setLeaving] = useState(false);
  const name = cleanName(conversation.name);
  const arrange = (change: { pinned?: boolean; archived?: boolean; mute_s?: number }): void =>
    void roost.attemptTo(async () => roost.put(await roost.client.call("arrange", { conversation: conversation.id, ...change })));
  const muted = conversation.muted_until !== null;
  const { kind } = conversation;
  const info = useStore(roost.groups.details).get(conversation.id)?.info;
  const timed = kind === "direct" || (kind === "group" && info?.state === "active" && info.may.includes("describe"));
  const own: (Choice | "line" | false)[] = [
    kind === "direct" && { id: "verify", label: t("contact.verify"), icon: "shield", run: () => setDialog("verify") },
    kind === "group" && { id: "about", label: t("group.about"), icon: "people", run: () => onPanel(true) },
    kind === "channel" && { id: "about", label: t("channel.about"), icon: "channel", run: () => onPanel(true) },
    timed && { id: "timer", label: t("contact.timer"), icon: "timer", run: () => setDialog("timer") },
    conversation.state === "accepted" && conversation.may_post && { id: "poll", label: t("poll.new"), icon: "poll", run: onPoll },
  ];
  const over = isOver(conversation.group_state);
  const last: (Choice | "line" | false)[] = [
    kind === "direct" && { id: "rename", label: t("contact.rename"), icon: "edit", run: () => setDialog("rename") },
    kind === "direct" && { id: "introduce", label: t("contact.introduce"), icon: "person", run: () => setDialog("introduce") },
    { id: "export", label: t("chat.export"), icon: "export", run: () => setDialog("export") },
    { id: "clear", label: t("chat.clear"), icon: "trash", danger: true, run: () => setDialog("clear") },
    kind === "direct" && { id: "block", label: t(conversation.state === "blocked" ? "contact.unblock" : "contact.block"), icon: "block", danger: true, run: () => setDialog("block") },
    kind === "direct" && { id: "delete", label: t("contact.delete"), icon: "trash", danger: true, run: () => setDialog("delete") },
    kind === "group" && { id: "leave", label: t(over ? "group.forget" : "group.leave"), icon: "close", danger: true, run: () => setLeaving(true) },
    kind === "channel" && { id: "leave", label: t(conversation.role === "owner" ? "channel.end" : "channel.leave"), icon: "close", danger: true, run: () => setLeaving(true) },
  ];
  const choices: (Choice | "line" | false)[] = [
    { id: "find", label: t("chat.find"), icon: "search", run: onFind },
    { id: "date", label: t("chat.jumpToDate"), icon: "calendar", run: onDate },
    ...own,
    "line",
    { id: "pin", label: t(conversation.pinned ? "chat.unpin" : "chat.pin"), icon: "pin", run: () => arrange({ pinned: !conversation.pinned }) },
    { id: "mute", label: t(muted ? "chat.unmute" : "chat.mute"), icon: "mute", run: () => arrange({ mute_s: muted ? 0 : -1 }) },
    { id: "archive", label: t(conversation.archived ? "chat.unarchive" : "chat.archive"), icon: "archive", run: () => arrange({ archived: !conversation.archived }) },
    "line",
    ...last,
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
      <IconButton icon={PANELS[kind].icon} label={t(PANELS[kind].label)} badge={conversation.requests} active={panel} onPress={() => onPanel(!panel)} />
      <Menu label={t("chat.more")} choices={choices.filter((choice) => choice !== false)} />
      <ContactDialogs conversation={conversation} open={dialog} onClose={() => setDialog(null)} />
      {kind === "group" && <GroupDialogs conversation={conversation} open={leaving ? (over ? "forget" : "leave") : null} onClose={() => setLeaving(false)} />}
      {kind === "channel" && <ChannelDialogs conversation={conversation} open={leaving ? "leave" : null} onClose={() => setLeaving(false)} />}
    </header>
  );
}

/** Typing, what waits and why, or the contact's own status: the most telling one. */
function Presence({ conversation }: { conversation: Conversation }): ReactNode {
  const t = useT();
  const roost = useRoost();
  const typing = typingText(roost, conversation, useStore(roost.typing).get(conversation.id), t);
  const link = useStore(roost.link);
  const behind = useStore(roost.status)?.relays[0]?.onion ?? false;
  const text = presence(conversation, typing, link, behind, t);
  return <span className={typing !== "" ? "presence typing" : "presence"} role="status" dir="auto">{text}</span>;
}

/** `behind`: one's own first host is an onion network, through which one writes to others' relays too. */
function presence(conversation: Conversation, typing: string, link: Link, behind: boolean, t: Translate): string {
  const name = cleanName(conversation.name);
  if (typing !== "") return typing;
  if (conversation.key_changed) return t("contact.keyChanged");
  if (conversation.state === "requested") return t("contact.requested");
  if (conversation.state === "blocked") return t("contact.blocked");
  if (conversation.waiting > 0 && conversation.held) return t("chat.held.other", { n: conversation.waiting });
  if (conversation.kind !== "direct") return company(conversation, t);
  if (conversation.waiting > 0 && conversation.network === "direct") {
    if (conversation.near === "") return t("chat.waitingMeet.other", { n: conversation.waiting });
  } else if (conversation.waiting > 0) {
    return t(conversation.network === "onion" && link === "online" ? "chat.waitingOnion.other" : link === "online" ? "chat.waitingTheirs.other" : "chat.waitingMine.other", { n: conversation.waiting, name });
  }
  const reach = reachOf(conversation, t);
  if (conversation.status === "") return reach ?? t(`network.${behind && conversation.network === "federated" ? "behind" : conversation.network}`);
  const status = cleanName(conversation.status, 120);
  return conversation.network === "direct" && reach !== null ? `${reach} · ${status}` : status;
}

/** Whether a device of theirs is linked to this one, where that matters or is so; else null. */
function reachOf({ network, near }: Conversation, t: Translate): string | null {
  if (near !== "") return t("near.now", { over: t(`over.${near}`) });
  return network === "direct" ? t("near.not") : null;
}

/** How one stands to a group, what waits, or how many are in it. */
function company(conversation: Conversation, t: Translate): string {
  const outside = standing(conversation.group_state);
  if (outside !== null) return t(outside);
  if (conversation.waiting > 0) return t("chat.waitingMine.other", { n: conversation.waiting });
  return conversation.kind === "group" ? t("group.count.other", { n: conversation.members }) : cleanName(conversation.description || t("channel.kind"), 120);
}
