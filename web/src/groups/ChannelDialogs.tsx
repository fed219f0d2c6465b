import { useState, type ReactNode } from "react";
import type { ChannelInfo, ChannelRole, Posting } from "../api/groups";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Confirm } from "../ui/Confirm";
import { Button, Dialog, Field, Options, Switch } from "../ui/controls";
import { Select } from "../ui/Select";
import { cleanName } from "../ui/text";
import { withPicture } from "./changing";
import { GroupPicture } from "./GroupPicture";
import { WhoPosts } from "./NewChannel";
import { LONGEST_DESCRIPTION, LONGEST_TITLE } from "./NewGroup";
import { Share } from "./Share";

export type ChannelDialog = "link" | "name" | "edit" | "let" | "move" | "leave" | null;

interface Props {
  conversation: Conversation;
  open: ChannelDialog;
  onClose: () => void;
}

/** Carry out a change of a channel and read again what it is like. False: it was refused, which has been said. */
export function useChannelChange(channel: string): (work: () => Promise<unknown>) => Promise<boolean> {
  const roost = useRoost();
  return (work) =>
    roost.attemptTo(async () => {
      await work();
      await roost.groups.loadChannel(channel).catch(() => undefined);
      roost.refreshConversations();
    });
}

export function ChannelDialogs({ conversation, open, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const info = useStore(roost.groups.channels).get(conversation.id);
  if (open === "move") return <Move conversation={conversation} onClose={onClose} />;
  if (open === "leave") return <Leave conversation={conversation} onClose={onClose} />;
  if (info === undefined) return null;
  switch (open) {
    case "link":
      return (
        <Dialog title={t("channel.link")} onClose={onClose}>
          <p>{t("channel.linkHow")}</p>
          <Share link={info.link} />
        </Dialog>
      );
    case "name":
      return <MyName info={info} onClose={onClose} />;
    case "edit":
      return <Edit info={info} onClose={onClose} />;
    case "let":
      return <Let info={info} onClose={onClose} />;
    default:
      return null;
  }
}

interface InfoProps {
  info: ChannelInfo;
  onClose: () => void;
}

function MyName({ info, onClose }: InfoProps): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChannelChange(info.channel);
  const [name, setName] = useState(info.name);
  const save = async (): Promise<void> => {
    if (await change(() => roost.client.call("channel-settings", { channel: info.channel, name: name.trim() }))) onClose();
  };
  return (
    <Dialog title={t("channel.myName")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <Field label={t("channel.myName")} value={name} onChange={setName} autoFocus maxLength={64} hint={t("channel.myNameHint")} />
        <div className="dialog-actions"><Button kind="primary" type="submit">{t("settings.save")}</Button></div>
      </form>
    </Dialog>
  );
}

const SLOW = ["0", "30", "60", "300", "3600"] as const;

function Edit({ info, onClose }: InfoProps): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChannelChange(info.channel);
  const [title, setTitle] = useState(info.title);
  const [description, setDescription] = useState(info.description);
  const [posting, setPosting] = useState<Posting>(info.posting);
  const [slow, setSlow] = useState(String(info.slow_s));
  const [picture, setPicture] = useState<File | null>(null);
  const [busy, setBusy] = useState(false);
  const paces = (SLOW as readonly string[]).includes(String(info.slow_s)) ? SLOW : [...SLOW, String(info.slow_s)];
  const save = async (): Promise<void> => {
    setBusy(true);
    const wanted = { channel: info.channel, title: title.trim(), description: description.trim(), posting, slow_s: Number(slow) };
    const worked = await change(() =>
      picture === null ? roost.client.call("channel-settings", wanted) : withPicture(roost.client, picture, (avatar) => roost.client.call("channel-settings", { ...wanted, avatar })),
    );
    setBusy(false);
    if (worked) onClose();
  };
  return (
    <Dialog title={t("channel.edit")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <GroupPicture id={info.channel} name={title} picture={info.avatar} chosen={picture} onChosen={setPicture} />
        <Field label={t("channel.title")} value={title} onChange={setTitle} maxLength={LONGEST_TITLE} />
        <Field label={t("group.description")} value={description} onChange={setDescription} maxLength={LONGEST_DESCRIPTION} />
        <WhoPosts value={posting} onChange={setPosting} />
        <Select
          label={t("channel.slow")}
          hint={t("channel.slowHint")}
          value={slow}
          onChange={setSlow}
          options={paces.map((pace) => ({ value: pace, label: pace === "0" ? t("timer.0") : Number(pace) < 60 || Number(pace) % 60 > 0 ? t("timer.seconds", { n: pace }) : t("channel.minutes.other", { n: Number(pace) / 60 }) }))}
        />
        <div className="dialog-actions"><Button kind="primary" type="submit" disabled={busy || title.trim() === ""}>{t(busy ? "common.wait" : "settings.save")}</Button></div>
      </form>
    </Dialog>
  );
}

/** Somebody who asked by their pseudonym. */
function Let({ info, onClose }: InfoProps): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChannelChange(info.channel);
  const [pseudonym, setPseudonym] = useState("");
  const [role, setRole] = useState<ChannelRole>("poster");
  const give = async (): Promise<void> => {
    if (await change(() => roost.client.call("channel-set-role", { channel: info.channel, pseudonym: pseudonym.trim(), role }))) onClose();
  };
  return (
    <Dialog title={t("channel.let")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void give(); }}>
        <p>{t("channel.letHow")}</p>
        <Field label={t("channel.pseudonym")} value={pseudonym} onChange={setPseudonym} autoFocus maxLength={256} />
        <Options label={t("channel.letRole")} value={role} onChange={setRole} row options={[{ value: "poster", label: t("role.poster") }, { value: "moderator", label: t("role.moderator") }]} />
        <div className="dialog-actions"><Button kind="primary" type="submit" disabled={pseudonym.trim() === ""}>{t("channel.let")}</Button></div>
      </form>
    </Dialog>
  );
}

function Move({ conversation, onClose }: { conversation: Conversation; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChannelChange(conversation.id);
  const move = (): void => {
    onClose();
    void change(() => roost.client.call("channel-move", { channel: conversation.id }));
  };
  return <Confirm title={t("channel.move")} text={t("channel.moveHow", { name: cleanName(conversation.name) })} onClose={onClose} onConfirm={move} />;
}

function Leave({ conversation, onClose }: { conversation: Conversation; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const owner = conversation.role === "owner";
  const leave = (): void => {
    onClose();
    void roost.attemptTo(async () => {
      await roost.client.call("channel-leave", { channel: conversation.id, delete: owner });
      roost.refreshConversations();
    });
  };
  const name = cleanName(conversation.name);
  return <Confirm title={t(owner ? "channel.end" : "channel.leave")} text={t(owner ? "channel.endHow" : "channel.leaveHow", { name })} danger onClose={onClose} onConfirm={leave} />;
}

/** Nobody shows somebody's posts any more; their earlier ones neither, if one wants. */
export function BanAuthor({ channel, pseudonym, name, onClose }: { channel: string; pseudonym: string; name: string; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChannelChange(channel);
  const [purge, setPurge] = useState(false);
  const ban = (): void => {
    onClose();
    void change(async () => {
      await roost.client.call("channel-ban", { channel, pseudonym, purge });
      if (purge) await roost.thread(channel).open();
    });
  };
  return (
    <Dialog title={t("member.ban")} onClose={onClose}>
      <p>{t("channel.banHow", { name })}</p>
      <Switch label={t("channel.purge")} on={purge} onChange={setPurge} />
      <div className="dialog-actions">
        <Button onPress={onClose}>{t("common.cancel")}</Button>
        <Button kind="danger" onPress={ban}>{t("member.ban")}</Button>
      </div>
    </Dialog>
  );
}
