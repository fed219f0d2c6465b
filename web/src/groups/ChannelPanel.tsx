import { useEffect, useState, type ReactNode } from "react";
import type { ChannelInfo, ChannelPerson } from "../api/groups";
import type { Conversation } from "../api/types";
import type { Key } from "../i18n/i18n";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { Button, IconButton, Menu, type Choice } from "../ui/controls";
import { Icon, type IconName } from "../ui/icons";
import { Markup } from "../ui/Markup";
import { cleanName } from "../ui/text";
import { HostedWay } from "./HostedWay";
import { ChannelDialogs, useChannelChange, type ChannelDialog } from "./ChannelDialogs";
import { roleName } from "./words";

/** What a channel is like, and for those who look after it, who may do what. */
export function ChannelPanel({ conversation, onClose }: { conversation: Conversation; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const info = useStore(roost.groups.channels).get(conversation.id);
  const [dialog, setDialog] = useState<ChannelDialog>(null);
  useEffect(() => {
    void roost.groups.loadChannel(conversation.id).catch(() => undefined);
  }, [roost, conversation.id, conversation.role, conversation.may_post]);
  return (
    <aside className="panel" aria-label={t("channel.about")}>
      <header className="panel-head">
        <h2>{t("channel.about")}</h2>
        <IconButton icon="close" label={t("common.close")} onPress={onClose} />
      </header>
      <div className="panel-who">
        <Avatar id={conversation.id} name={conversation.name} picture={conversation.picture} client={roost.client} size="large" />
        <bdi className="panel-name">{cleanName(conversation.name, 200)}</bdi>
        {conversation.description !== "" && <div className="panel-about"><Markup text={conversation.description} /></div>}
        <span className="chip">{t("group.youAre", { role: roleName(conversation.role, t) })}</span>
      </div>
      {info && (
        <>
          <State info={info} />
          <Actions info={info} onDialog={setDialog} />
          <Me info={info} />
          <People info={info} />
          <HostedWay conversation={conversation} host={conversation.network === "direct" ? t("channel.seesDevice") : conversation.network === "onion" ? t("channel.seesNetwork") : t("channel.sees", { host: info.host })} />
        </>
      )}
      <div className="panel-end">
        <Button kind="danger" onPress={() => setDialog("leave")}>{t(conversation.role === "owner" ? "channel.end" : "channel.leave")}</Button>
      </div>
      <ChannelDialogs conversation={conversation} open={dialog} onClose={() => setDialog(null)} />
    </aside>
  );
}

const STATES: Record<string, Key> = { joining: "channel.joining", lost: "channel.lost", banned: "channel.banned" };
const REFUSED: Record<string, Key> = { banned: "channel.banned", slow_mode: "channel.refused.slow", removed: "channel.refused.removed", not_permitted: "channel.refused.role" };

function State({ info }: { info: ChannelInfo }): ReactNode {
  const t = useT();
  const key = STATES[info.state] ?? (info.refused === "" ? undefined : (REFUSED[info.refused] ?? "channel.refused.role"));
  return key ? <div className="notice" role="status"><p>{t(key)}</p></div> : null;
}

function Actions({ info, onDialog }: { info: ChannelInfo; onDialog: (dialog: ChannelDialog) => void }): ReactNode {
  const t = useT();
  const owner = info.role === "owner";
  const rows: [boolean, ChannelDialog, IconName, string][] = [
    [true, "link", "people", t("channel.link")],
    [true, "name", "person", t("channel.myName")],
    [owner, "edit", "edit", t("channel.edit")],
    [owner, "let", "plus", t("channel.let")],
    [owner, "move", "relay", t("channel.move")],
  ];
  return (
    <ul className="card panel-actions">
      {rows.filter(([allowed]) => allowed).map(([, id, icon, label]) => (
        <li key={label}><button type="button" onClick={() => onDialog(id)}><Icon name={icon} size={18} /><span>{label}</span></button></li>
      ))}
    </ul>
  );
}

/** By what one is known there: nobody can tell who that is. */
function Me({ info }: { info: ChannelInfo }): ReactNode {
  const t = useT();
  return (
    <section className="card">
      <h3>{t("channel.me")}</h3>
      <p>{info.name === "" ? t("channel.noName") : <bdi>{cleanName(info.name)}</bdi>}</p>
      <p className="link-box" dir="ltr" tabIndex={0} data-testid="pseudonym">{info.pseudonym}</p>
      <p className="hint">{t(info.posting === "roles" && info.role === "reader" ? "channel.askToPost" : "channel.pseudonymHow")}</p>
    </section>
  );
}

const SENTENCES = { moderator: "member.make.moderator", poster: "channel.make.poster", reader: "channel.make.reader" } as const;

function People({ info }: { info: ChannelInfo }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChannelChange(info.channel);
  const { channel } = info;
  const choices = (row: ChannelPerson): Choice[] => {
    const { pseudonym } = row;
    if (row.role === "owner" || pseudonym === info.pseudonym) return [];
    const found: Choice[] = [];
    if (info.role === "owner") {
      for (const role of ["moderator", "poster", "reader"] as const) {
        if (role !== row.role) found.push({ id: role, label: t(SENTENCES[role]), icon: "shield", run: () => void change(() => roost.client.call("channel-set-role", { channel, pseudonym, role })) });
      }
    }
    if (info.role === "owner" || (info.role === "moderator" && row.role !== "moderator")) {
      found.push({ id: "ban", label: t(row.banned ? "member.unban" : "member.ban"), icon: "block", danger: !row.banned, run: () => void change(() => roost.client.call("channel-ban", { channel, pseudonym, banned: !row.banned })) });
    }
    return found;
  };
  if (info.people.length === 0) return null;
  return (
    <section className="card" aria-label={t("channel.people")}>
      <h3>{t("channel.people")}</h3>
      <ul className="members">
        {info.people.map((row) => {
          const name = row.name === "" ? row.pseudonym.slice(0, 8) : cleanName(row.name);
          const can = choices(row);
          return (
            <li key={row.pseudonym} className="member">
              <Avatar id={row.pseudonym} name={row.name || row.pseudonym} size="small" />
              <span className="grow">
                <bdi>{name}</bdi>
                {row.pseudonym === info.pseudonym && <span className="hint">{t("member.you")}</span>}
              </span>
              <span className="chip">{row.banned ? t("channel.isBanned") : roleName(row.role, t)}</span>
              {can.length > 0 && <Menu label={t("member.more", { name })} choices={can} />}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
