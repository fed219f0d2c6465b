import { useState, type ReactNode } from "react";
import { Button, Dialog, DialogTrigger, Popover } from "react-aria-components";
import type { Message } from "../api/types";
import { useT } from "../i18n/i18n";
import { Menu, type Choice } from "../ui/controls";
import { EmojiGrid } from "../ui/EmojiGrid";
import { Icon } from "../ui/icons";

export interface MessageActions {
  reply: (message: Message) => void;
  edit: (message: Message) => void;
  react: (message: Message, emoji: string) => void;
  copy: (message: Message) => void;
  pin: (message: Message) => void;
  forward: (message: Message) => void;
  details: (message: Message) => void;
  remove: (message: Message) => void;
  select: (message: Message) => void;
}

/** What can be done with a message: beside it, shown on hover and whenever something in it has the focus. */
export function MessageMenu({ message, actions }: { message: Message; actions: MessageActions }): ReactNode {
  const t = useT();
  const [reacting, setReacting] = useState(false);
  const mine = message.from === "me";
  const choices: (Choice | "line" | null)[] = [
    { id: "reply", label: t("message.reply"), icon: "reply", run: () => actions.reply(message) },
    mine && message.text !== "" ? { id: "edit", label: t("message.edit"), icon: "edit", run: () => actions.edit(message) } : null,
    message.text !== "" ? { id: "copy", label: t("message.copy"), icon: "copy", run: () => actions.copy(message) } : null,
    { id: "forward", label: t("message.forward"), icon: "forward", run: () => actions.forward(message) },
    { id: "pin", label: t(message.pinned ? "message.unpin" : "message.pin"), icon: "pin", run: () => actions.pin(message) },
    { id: "select", label: t("message.select"), icon: "select", run: () => actions.select(message) },
    { id: "details", label: t("message.details"), icon: "info", run: () => actions.details(message) },
    "line",
    { id: "delete", label: t("message.delete"), icon: "trash", danger: true, run: () => actions.remove(message) },
  ];
  const pick = (emoji: string): void => {
    setReacting(false);
    actions.react(message, emoji);
  };
  return (
    <div className="message-tools">
      <DialogTrigger isOpen={reacting} onOpenChange={setReacting}>
        <Button className="icon-button small" aria-label={t("message.react")}><Icon name="smile" size={18} /></Button>
        <Popover className="popover" placement="top">
          <Dialog aria-label={t("message.react")} className="emoji-dialog"><EmojiGrid onPick={pick} /></Dialog>
        </Popover>
      </DialogTrigger>
      <Menu label={t("message.more")} choices={choices.filter((choice) => choice !== null)} />
    </div>
  );
}
