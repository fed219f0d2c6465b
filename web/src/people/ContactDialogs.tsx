import { useEffect, useState, type ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Avatar } from "../ui/Avatar";
import { Confirm } from "../ui/Confirm";
import { Button, Dialog, Field, Options } from "../ui/controls";
import { cleanName } from "../ui/text";
import { Verify } from "./Verify";

export type ContactDialog = "verify" | "timer" | "rename" | "introduce" | "export" | "clear" | "block" | "delete" | null;

interface Props {
  conversation: Conversation;
  open: ContactDialog;
  onClose: () => void;
}

export function ContactDialogs(props: Props): ReactNode {
  switch (props.open) {
    case "verify":
      return <Verify {...props} />;
    case "timer":
      return <Timer {...props} />;
    case "rename":
      return <Rename {...props} />;
    case "introduce":
      return <Introduce {...props} />;
    case "export":
      return <Export {...props} />;
    case "clear":
    case "block":
    case "delete":
      return <Ask {...props} what={props.open} />;
    default:
      return null;
  }
}

const TIMERS = ["0", "30", "300", "3600", "86400", "604800", "2419200"] as const;

function Timer({ conversation, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [value, setValue] = useState<string>(String(conversation.timer_s));
  const set = (): void => {
    onClose();
    void roost.attemptTo(async () => {
      await roost.client.call("timer", { conversation: conversation.id, seconds: Number(value) });
      roost.refreshConversations();
    });
  };
  return (
    <Dialog title={t("contact.timer")} onClose={onClose}>
      <p>{t(conversation.kind === "group" ? "group.timerHow" : "timer.how")}</p>
      <Options label={t("contact.timer")} value={value} onChange={setValue} options={TIMERS.map((seconds) => ({ value: seconds, label: t(`timer.${seconds}`) }))} />
      <div className="dialog-actions"><Button kind="primary" onPress={set}>{t("common.done")}</Button></div>
    </Dialog>
  );
}

function Rename({ conversation, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [name, setName] = useState(conversation.name);
  const save = (): void => {
    onClose();
    void roost.attemptTo(async () => {
      await roost.client.call("rename", { contact: conversation.id, name: name.trim() });
      roost.refreshConversations();
    });
  };
  return (
    <Dialog title={t("contact.rename")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); save(); }}>
        <Field label={t("contact.name")} value={name} onChange={setName} autoFocus maxLength={64} hint={t("rename.hint", { name: cleanName(conversation.own_name) })} />
        <div className="dialog-actions"><Button kind="primary" type="submit">{t("common.done")}</Button></div>
      </form>
    </Dialog>
  );
}

function Introduce({ conversation, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = [...useStore(roost.conversations).values()].filter((row) => row.kind === "direct" && row.state === "accepted" && row.id !== conversation.id);
  const introduce = (second: string, name: string): void => {
    onClose();
    void roost.attemptTo(async () => {
      await roost.client.call("introduce", { first: conversation.id, second });
      notify(t("introduce.done", { first: cleanName(conversation.name), second: name }));
    });
  };
  return (
    <Dialog title={t("contact.introduce")} onClose={onClose}>
      <p>{t("introduce.how", { name: cleanName(conversation.name) })}</p>
      {rows.length === 0 && <p className="hint">{t("introduce.nobody")}</p>}
      <ul className="pick-list">
        {rows.map((row) => (
          <li key={row.id}>
            <button type="button" onClick={() => introduce(row.id, cleanName(row.name))}>
              <Avatar id={row.id} name={row.name} picture={row.picture} client={roost.client} size="small" />
              <bdi>{cleanName(row.name)}</bdi>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

/** A folder's name that says whose and when, of letters that every disk takes. */
function exportName(name: string): string {
  const plain = cleanName(name).replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/gu, "");
  const now = new Date();
  const part = (value: number): string => String(value).padStart(2, "0");
  return `Roost-${plain || "conversation"}-${now.getFullYear()}-${part(now.getMonth() + 1)}-${part(now.getDate())}-${part(now.getHours())}${part(now.getMinutes())}`;
}

function Export({ conversation, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [folder, setFolder] = useState("");
  useEffect(() => {
    void roost.client
      .call("software-info", {})
      .then(({ downloads }) => downloads !== "" && setFolder((typed) => typed || `${downloads}/${exportName(conversation.name)}`))
      .catch(() => undefined);
  }, [roost, conversation.name]);
  const go = (): void => {
    onClose();
    void roost.attemptTo(async () => {
      const done = await roost.client.call("export", { conversation: conversation.id, to: folder.trim() });
      notify(t("export.done.other", { n: done.messages, path: done.path }));
    });
  };
  return (
    <Dialog title={t("chat.export")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); go(); }}>
        <p>{t("export.how")}</p>
        <Field label={t("export.folder")} value={folder} onChange={setFolder} autoFocus hint={t("export.hint")} />
        <div className="dialog-actions"><Button kind="primary" type="submit" disabled={!folder.trim().startsWith("/")}>{t("chat.export")}</Button></div>
      </form>
    </Dialog>
  );
}

function Ask({ conversation, onClose, what }: Props & { what: "clear" | "block" | "delete" }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const name = cleanName(conversation.name);
  const unblock = what === "block" && conversation.state === "blocked";
  const act = (): void => {
    onClose();
    void roost.attemptTo(async () => {
      if (what === "clear") {
        await roost.client.call("clear", { conversation: conversation.id });
        await roost.thread(conversation.id).open();
      } else if (what === "delete") {
        await roost.client.call("delete-contact", { contact: conversation.id });
      } else {
        await roost.client.call(unblock ? "unblock" : "block", { contact: conversation.id });
      }
      roost.refreshConversations();
    });
  };
  const title = what === "clear" ? t("chat.clear") : what === "delete" ? t("contact.delete") : t(unblock ? "contact.unblock" : "contact.block");
  return <Confirm title={title} text={t(unblock ? "confirm.unblock" : what === "clear" && conversation.kind !== "direct" ? "group.clearHow" : `confirm.${what}`, { name })} danger={!unblock} onClose={onClose} onConfirm={act} />;
}
