import { useEffect, useState, type ReactNode } from "react";
import type { GroupInfo } from "../api/groups";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import type { GroupDetail } from "../state/groups";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { Confirm } from "../ui/Confirm";
import { Button, IconButton } from "../ui/controls";
import { Icon, type IconName } from "../ui/icons";
import { Markup } from "../ui/Markup";
import { cleanName } from "../ui/text";
import { ContactDialogs } from "../people/ContactDialogs";
import { useChange } from "./changing";
import { GroupDialogs, type GroupDialog } from "./GroupDialogs";
import { HostedWay } from "./HostedWay";
import { JoinRequests } from "./JoinRequests";
import { Members } from "./Members";
import { isOver, roleName, standing, waitingText } from "./words";

interface Props {
  conversation: Conversation;
  onClose: () => void;
  onOpen: (id: string) => void;
}

/** What a group is like, who is in it, and what may be changed. */
export function GroupPanel({ conversation, onClose, onOpen }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const detail = useStore(roost.groups.details).get(conversation.id);
  const [dialog, setDialog] = useState<GroupDialog | "timer">(null);
  useEffect(() => {
    void roost.groups.load(conversation.id).catch(() => undefined);
  }, [roost, conversation.id, conversation.group_state]);
  const over = isOver(conversation.group_state);
  return (
    <aside className="panel" aria-label={t("group.about")}>
      <header className="panel-head">
        <h2>{t("group.about")}</h2>
        <IconButton icon="close" label={t("common.close")} onPress={onClose} />
      </header>
      <div className="panel-who">
        <Avatar id={conversation.id} name={conversation.name} picture={conversation.picture} client={roost.client} size="large" />
        <bdi className="panel-name">{cleanName(conversation.name, 200)}</bdi>
        {conversation.description !== "" && <div className="panel-about"><Markup text={conversation.description} /></div>}
        {!over && <span className="chip">{t("group.youAre", { role: roleName(conversation.role, t) })}</span>}
      </div>
      <Standing conversation={conversation} detail={detail} onOpen={onOpen} />
      {detail && (
        <>
          <Waiting info={detail.info} />
          <JoinRequests group={conversation.id} />
          <Actions info={detail.info} onDialog={setDialog} />
          <Members detail={detail} onOpen={onOpen} />
          <Banned info={detail.info} />
          {!over && detail.info.host !== "" && <HostedWay conversation={conversation} host={conversation.network === "direct" ? t("group.seesDevice") : conversation.network === "onion" ? t("group.seesNetwork") : t("group.sees", { host: detail.info.host })} />}
        </>
      )}
      <div className="panel-end">
        <Button kind="danger" onPress={() => setDialog(over ? "forget" : "leave")}>{t(over ? "group.forget" : "group.leave")}</Button>
      </div>
      {dialog === "timer" ? (
        <ContactDialogs conversation={conversation} open="timer" onClose={() => setDialog(null)} />
      ) : (
        <GroupDialogs conversation={conversation} open={dialog} onClose={() => setDialog(null)} />
      )}
    </aside>
  );
}

function Actions({ info, onDialog }: { info: GroupInfo; onDialog: (dialog: GroupDialog | "timer") => void }): ReactNode {
  const t = useT();
  const may = (right: GroupInfo["may"][number]): boolean => info.may.includes(right);
  const rows: [boolean, GroupDialog | "timer", IconName, string][] = [
    [may("invite"), "add", "plus", t("group.add")],
    [may("invite"), "link", "people", t("group.link")],
    [may("describe"), "edit", "edit", t("group.edit")],
    [may("describe"), "timer", "timer", t("contact.timer")],
    [may("administer"), "permissions", "shield", t("group.permissions")],
    [may("administer") && info.network === "federated", "move", "relay", t("group.move")],
  ];
  const shown = rows.filter(([allowed]) => allowed && info.state === "active");
  if (shown.length === 0) return null;
  return (
    <ul className="card panel-actions">
      {shown.map(([, id, icon, label]) => (
        <li key={label}><button type="button" onClick={() => onDialog(id)}><Icon name={icon} size={18} /><span>{label}</span></button></li>
      ))}
    </ul>
  );
}

/** Being on the way in, out, or stopped: what that means and what to do. */
function Standing({ conversation, detail, onOpen }: { conversation: Conversation; detail: GroupDetail | undefined; onOpen: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const [sure, setSure] = useState(false);
  const key = standing(conversation.group_state);
  const successor = detail?.info.successor ?? "";
  if (key === null && successor === "") return null;
  const stopped = conversation.group_state === "stopped";
  const lost = conversation.group_state === "lost"; // its relay may be gone for good
  const group = conversation.id;
  return (
    <div className="notice" role="status">
      {key !== null && <p>{t(key)}</p>}
      {stopped && <p>{t(conversation.role === "admin" ? "stopped.admin" : "stopped.member")}</p>}
      {successor !== "" && <Button kind="primary" onPress={() => onOpen(successor)}>{t("stopped.goOn")}</Button>}
      {lost && conversation.role === "admin" && <p>{t("lost.admin")}</p>}
      {(stopped || lost) && successor === "" && conversation.role === "admin" && (
        <Button kind={stopped ? "primary" : "plain"} onPress={() => void change(() => roost.client.call("group-reopen", { group }))}>{t("stopped.reopen")}</Button>
      )}
      {stopped && <Button onPress={() => setSure(true)}>{t("stopped.resume")}</Button>}
      {sure && (
        <Confirm title={t("stopped.resume")} text={t("stopped.resumeHow")} danger onClose={() => setSure(false)} onConfirm={() => { setSure(false); void change(() => roost.client.call("group-resume", { group })); }} />
      )}
    </div>
  );
}

function Waiting({ info }: { info: GroupInfo }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  if (info.waiting.length === 0) return null;
  return (
    <section className="card">
      <h3>{t("waiting.title")}</h3>
      <ul className="members">
        {info.waiting.map((row) => (
          <li key={row.number} className="member">
            <span className="grow">{waitingText(row, t)}</span>
            <IconButton icon="close" label={t("waiting.cancel")} onPress={() => void change(() => roost.client.call("group-cancel", { group: info.group, number: row.number }))} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Banned({ info }: { info: GroupInfo }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  if (info.banned.length === 0) return null;
  return (
    <section className="card">
      <h3>{t("group.banned")}</h3>
      <ul className="members">
        {info.banned.map((row) => (
          <li key={row.member} className="member">
            <Avatar id={row.member} name={row.name} size="small" />
            <bdi className="grow">{cleanName(row.name)}</bdi>
            {info.may.includes("moderate") && <Button onPress={() => void change(() => roost.client.call("group-unban", { group: info.group, members: [row.member] }))}>{t("member.unban")}</Button>}
          </li>
        ))}
      </ul>
    </section>
  );
}
