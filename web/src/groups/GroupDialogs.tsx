import { useState, type ReactNode } from "react";
import type { GroupChanged, Permissions, Role } from "../api/groups";
import type { Conversation } from "../api/types";
import type { Key } from "../i18n/i18n";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import type { GroupDetail } from "../state/groups";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Confirm } from "../ui/Confirm";
import { Button, Dialog, Field, Switch } from "../ui/controls";
import { Select } from "../ui/Select";
import { cleanName } from "../ui/text";
import { useChange, withPicture } from "./changing";
import { GroupLink } from "./GroupLink";
import { GroupPicture } from "./GroupPicture";
import { LONGEST_DESCRIPTION, LONGEST_TITLE } from "./NewGroup";
import { PickPeople } from "./PickPeople";

export type GroupDialog = "add" | "edit" | "permissions" | "link" | "move" | "leave" | "forget" | null;

interface Props {
  conversation: Conversation;
  open: GroupDialog;
  onClose: () => void;
}

export function GroupDialogs(props: Props): ReactNode {
  const roost = useRoost();
  const detail = useStore(roost.groups.details).get(props.conversation.id);
  if (props.open === "move") return <Move {...props} />;
  if (props.open === "leave") return <Leave {...props} />;
  if (props.open === "forget") return <Forget {...props} />;
  if (detail === undefined) return null;
  switch (props.open) {
    case "add":
      return <Add detail={detail} onClose={props.onClose} />;
    case "edit":
      return <Edit detail={detail} onClose={props.onClose} />;
    case "permissions":
      return <Allowed detail={detail} onClose={props.onClose} />;
    case "link":
      return <GroupLink info={detail.info} onClose={props.onClose} />;
    default:
      return null;
  }
}

interface DetailProps {
  detail: GroupDetail;
  onClose: () => void;
}

function Add({ detail: { info, members }, onClose }: DetailProps): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [ask, setAsk] = useState(false);
  const [busy, setBusy] = useState(false);
  const add = async (): Promise<void> => {
    setBusy(true);
    const worked = await change(() => roost.client.call(ask ? "group-introduce" : "group-add", { group: info.group, members: [...chosen] }));
    setBusy(false);
    if (!worked) return;
    if (ask) notify(t("invited.sent"));
    onClose();
  };
  return (
    <Dialog title={t("group.add")} onClose={onClose}>
      <PickPeople chosen={chosen} onChosen={setChosen} without={new Set(members.map((row) => row.member))} />
      <Switch label={t("invited.ask")} hint={t("invited.askHow")} on={ask} onChange={setAsk} />
      <p className="hint">{t(info.history > 0 ? "group.addHistory" : "group.addNoHistory", { n: info.history })}</p>
      <div className="dialog-actions">
        <Button kind="primary" disabled={busy || chosen.size === 0} onPress={() => void add()}>{t(busy ? "common.wait" : ask ? "invited.send" : "group.add")}</Button>
      </div>
    </Dialog>
  );
}

function Edit({ detail: { info }, onClose }: DetailProps): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const [title, setTitle] = useState(info.title);
  const [description, setDescription] = useState(info.description);
  const [picture, setPicture] = useState<File | null>(null);
  const [busy, setBusy] = useState(false);
  const { group } = info;
  const save = async (): Promise<void> => {
    setBusy(true);
    const worked = await change(async () => {
      const done: GroupChanged[] = [];
      if (title.trim() !== info.title) done.push(await roost.client.call("group-title", { group, title: title.trim() }));
      if (description.trim() !== info.description) done.push(await roost.client.call("group-description", { group, description: description.trim() }));
      if (picture !== null) done.push(await withPicture(roost.client, picture, (path) => roost.client.call("group-avatar", { group, picture: path })));
      return done;
    });
    setBusy(false);
    if (worked) onClose();
  };
  const without = async (): Promise<void> => {
    setBusy(true);
    setPicture(null);
    await change(() => roost.client.call("group-avatar", { group, picture: "" }));
    setBusy(false);
  };
  return (
    <Dialog title={t("group.edit")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <GroupPicture id={group} name={title} picture={info.avatar} chosen={picture} onChosen={setPicture} />
        <Field label={t("group.title")} value={title} onChange={setTitle} autoFocus maxLength={LONGEST_TITLE} />
        <Field label={t("group.description")} value={description} onChange={setDescription} maxLength={LONGEST_DESCRIPTION} />
        <div className="dialog-actions">
          {info.avatar !== "" && <Button disabled={busy} onPress={() => void without()}>{t("group.noPicture")}</Button>}
          <Button kind="primary" type="submit" disabled={busy || title.trim() === ""}>{t(busy ? "common.wait" : "settings.save")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

const RIGHTS: readonly { name: keyof Permissions; label: Key }[] = [
  { name: "post", label: "permission.post" },
  { name: "invite", label: "permission.invite" },
  { name: "describe", label: "permission.describe" },
  { name: "pin", label: "permission.pin" },
];
const LEAST: readonly Role[] = ["member", "moderator", "admin"];
const HISTORY = ["0", "20", "100", "500"] as const;

function Allowed({ detail: { info }, onClose }: DetailProps): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const [allowed, setAllowed] = useState<Permissions>(info.permissions);
  const [history, setHistory] = useState(String(info.history));
  const [approval, setApproval] = useState(info.approval);
  const [busy, setBusy] = useState(false);
  const lengths = (HISTORY as readonly string[]).includes(String(info.history)) ? HISTORY : [...HISTORY, String(info.history)];
  const save = async (): Promise<void> => {
    setBusy(true);
    const worked = await change(() => roost.client.call("group-permissions", { group: info.group, ...allowed, history: Number(history), approval }));
    setBusy(false);
    if (!worked) return;
    notify(t("settings.saved"));
    onClose();
  };
  return (
    <Dialog title={t("group.permissions")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        {RIGHTS.map(({ name, label }) => (
          <Select
            key={name}
            label={t(label)}
            value={allowed[name]}
            onChange={(role) => setAllowed({ ...allowed, [name]: role })}
            options={(allowed[name] === "read-only" ? (["read-only", ...LEAST] as Role[]) : LEAST).map((role) => ({ value: role, label: t(`least.${role}`) }))}
          />
        ))}
        <Select
          label={t("permission.history")}
          value={history}
          onChange={setHistory}
          options={lengths.map((length) => ({ value: length, label: length === "0" ? t("permission.history.0") : t("permission.history.some", { n: length }) }))}
        />
        <Switch label={t("permission.approval")} hint={t("permission.approvalHint")} on={approval} onChange={setApproval} />
        <div className="dialog-actions"><Button kind="primary" type="submit" disabled={busy}>{t(busy ? "common.wait" : "settings.save")}</Button></div>
      </form>
    </Dialog>
  );
}

function Move({ conversation, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const move = (): void => {
    onClose();
    void change(() => roost.client.call("group-move", { group: conversation.id }));
  };
  return <Confirm title={t("group.move")} text={t("group.moveHow", { name: cleanName(conversation.name) })} onClose={onClose} onConfirm={move} />;
}

function Leave({ conversation, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const leave = (): void => {
    onClose();
    void change(() => roost.client.call("group-leave", { group: conversation.id }));
  };
  return <Confirm title={t("group.leave")} text={t("group.leaveHow", { name: cleanName(conversation.name) })} danger onClose={onClose} onConfirm={leave} />;
}

function Forget({ conversation, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const forget = (): void => {
    onClose();
    void roost.attemptTo(async () => {
      roost.groups.forget(conversation.id);
      await roost.client.call("group-forget", { group: conversation.id });
      roost.refreshConversations();
    });
  };
  return <Confirm title={t("group.forget")} text={t("group.forgetHow", { name: cleanName(conversation.name) })} danger onClose={onClose} onConfirm={forget} />;
}
