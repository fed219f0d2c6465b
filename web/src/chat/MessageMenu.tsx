import { useRef, useState, type ReactNode, type RefObject } from "react";
import { Dialog, Popover } from "react-aria-components";
import type { Message } from "../api/types";
import { mayBan, mayPin, mayReact } from "../groups/rights";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { MenuList, type Choice } from "../ui/controls";
import { EmojiGrid } from "../ui/EmojiGrid";
import { Icon } from "../ui/icons";

export interface MessageActions {
  reply: (message: Message) => void;
  edit: (message: Message) => void;
  react: (message: Message, emoji: string) => void;
  copy: (message: Message) => void;
  pin: (message: Message) => void;
  ban: (message: Message) => void;
  forward: (message: Message) => void;
  details: (message: Message) => void;
  remove: (message: Message) => void;
  select: (message: Message) => void;
}

interface Props {
  message: Message;
  actions: MessageActions;
}

/** What can be done with a message: beside it, shown on hover and whenever something in it has the focus. Plain buttons:
 *  there are as many as messages in view, and what they open is made when it is opened. */
export function MessageMenu({ message, actions }: Props): ReactNode {
  const t = useT();
  const [open, setOpen] = useState<"react" | "more" | null>(null);
  const smile = useRef<HTMLButtonElement>(null);
  const more = useRef<HTMLButtonElement>(null);
  const close = (): void => setOpen(null);
  const reactable = mayReact(useRoost().conversations.get().get(message.conversation));
  return (
    <div className="message-tools">
      {reactable && <button ref={smile} type="button" className="icon-button small" aria-label={t("message.react")} aria-haspopup="dialog" aria-expanded={open === "react"} onClick={() => setOpen("react")}>
        <Icon name="smile" size={18} />
      </button>}
      <button ref={more} type="button" className="icon-button" aria-label={t("message.more")} aria-haspopup="menu" aria-expanded={open === "more"} onClick={() => setOpen("more")}>
        <Icon name="more" />
      </button>
      {open === "react" && <Reacting trigger={smile} onClose={close} onPick={(emoji) => { close(); actions.react(message, emoji); }} />}
      {open === "more" && <More trigger={more} message={message} actions={actions} onClose={close} />}
    </div>
  );
}

type Trigger = RefObject<HTMLButtonElement | null>;

function Reacting({ trigger, onClose, onPick }: { trigger: Trigger; onClose: () => void; onPick: (emoji: string) => void }): ReactNode {
  const t = useT();
  return (
    <Popover className="popover" placement="top" triggerRef={trigger} isOpen onOpenChange={(open) => !open && onClose()}>
      <Dialog aria-label={t("message.react")} className="emoji-dialog"><EmojiGrid onPick={onPick} /></Dialog>
    </Popover>
  );
}

function More({ trigger, message, actions, onClose }: Props & { trigger: Trigger; onClose: () => void }): ReactNode {
  const t = useT();
  const roost = useRoost();
  const mine = message.from === "me";
  const row = useStore(roost.conversations).get(message.conversation);
  const info = useStore(roost.groups.details).get(message.conversation)?.info;
  const choices: (Choice | "line" | null)[] = [
    { id: "reply", label: t("message.reply"), icon: "reply", run: () => actions.reply(message) },
    mine && message.text !== "" && message.poll === null && message.invites === null ? { id: "edit", label: t("message.edit"), icon: "edit", run: () => actions.edit(message) } : null,
    message.text !== "" ? { id: "copy", label: t("message.copy"), icon: "copy", run: () => actions.copy(message) } : null,
    message.poll === null && message.invites === null ? { id: "forward", label: t("message.forward"), icon: "forward", run: () => actions.forward(message) } : null,
    mayPin(row, info) ? { id: "pin", label: t(message.pinned ? "message.unpin" : row?.kind === "direct" ? "message.pin" : "message.pinAll"), icon: "pin", run: () => actions.pin(message) } : null,
    { id: "select", label: t("message.select"), icon: "select", run: () => actions.select(message) },
    { id: "details", label: t("message.details"), icon: "info", run: () => actions.details(message) },
    "line",
    mayBan(row) && !mine ? { id: "ban", label: t("channel.banAuthor"), icon: "block", danger: true, run: () => actions.ban(message) } : null,
    { id: "delete", label: t("message.delete"), icon: "trash", danger: true, run: () => actions.remove(message) },
  ];
  return (
    <Popover className="popover" placement="bottom end" triggerRef={trigger} isOpen onOpenChange={(open) => !open && onClose()}>
      <MenuList label={t("message.more")} choices={choices.filter((choice) => choice !== null)} onClose={onClose} />
    </Popover>
  );
}
