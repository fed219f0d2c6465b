import { useState, type ReactNode } from "react";
import type { GroupMember, Role } from "../api/groups";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import type { GroupDetail } from "../state/groups";
import { Avatar } from "../ui/Avatar";
import { Confirm } from "../ui/Confirm";
import { Button, Field, Menu, type Choice } from "../ui/controls";
import { cleanName } from "../ui/text";
import { Verify } from "../people/Verify";
import { Icon } from "../ui/icons";
import { useChange } from "./changing";
import { roleName } from "./words";

const FIRST = 40; // what a person takes in; the rest on demand
const SEARCHED_FROM = 12;
const ROLES: readonly Role[] = ["admin", "moderator", "member", "read-only"];
const SENTENCES = { admin: "member.make.admin", moderator: "member.make.moderator", member: "member.make.member", "read-only": "member.make.read-only" } as const;

interface Props {
  detail: GroupDetail;
  onOpen: (id: string) => void;
}

/** Who is in a group, and what may be done about it. */
export function Members({ detail: { info, members }, onOpen }: Props): ReactNode {
  const t = useT();
  const [words, setWords] = useState("");
  const [all, setAll] = useState(false);
  const [asked, setAsked] = useState<{ what: "remove" | "ban"; member: GroupMember } | null>(null);
  const wanted = words.toLocaleLowerCase();
  const found = members.filter((row) => row.name.toLocaleLowerCase().includes(wanted));
  const shown = all || wanted !== "" ? found : found.slice(0, FIRST);
  return (
    <section className="card" aria-label={t("group.people")}>
      <h3>{t("group.count.other", { n: members.length })}</h3>
      {members.length >= SEARCHED_FROM && <Field label={t("list.search")} value={words} onChange={setWords} type="search" />}
      <ul className="members">
        {shown.map((row) => <Member key={row.member} row={row} detail={{ info, members }} onOpen={onOpen} onAsk={(what) => setAsked({ what, member: row })} />)}
      </ul>
      {shown.length < found.length && <Button onPress={() => setAll(true)}>{t("group.showAll", { n: found.length })}</Button>}
      {asked !== null && <Sure {...asked} group={info.group} onClose={() => setAsked(null)} />}
    </section>
  );
}

function Member({ row, detail: { info }, onOpen, onAsk }: { row: GroupMember; detail: GroupDetail; onOpen: (id: string) => void; onAsk: (what: "remove" | "ban") => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const [verifying, setVerifying] = useState(false);
  const name = cleanName(row.name);
  const administer = info.may.includes("administer");
  const outranked = !row.me && (administer || (info.may.includes("moderate") && (row.role === "member" || row.role === "read-only")));
  const choices: (Choice | "line")[] = [];
  if (row.contact) choices.push({ id: "open", label: t("member.write"), icon: "send", run: () => onOpen(row.member) });
  if (!row.me) choices.push({ id: "verify", label: t("contact.verify"), icon: "shield", run: () => setVerifying(true) });
  if (administer) {
    for (const role of ROLES) {
      if (role !== row.role) choices.push({ id: role, label: t(SENTENCES[role]), icon: "shield", run: () => void change(() => roost.client.call("group-role", { group: info.group, member: row.member, role })) });
    }
  }
  if (outranked) {
    choices.push("line", { id: "remove", label: t("member.remove"), icon: "close", danger: true, run: () => onAsk("remove") }, { id: "ban", label: t("member.ban"), icon: "block", danger: true, run: () => onAsk("ban") });
  }
  const known = row.me ? t("member.you") : row.leaving ? t("member.leaving") : row.contact ? "" : t("member.stranger");
  return (
    <li className="member">
      <Avatar id={row.member} name={row.name} picture={row.picture} client={roost.client} size="small" />
      <span className="grow">
        <bdi>{name}</bdi>
        {row.verified && <span className="verified" title={t("contact.verified")}><Icon name="shield" size={14} /><span className="visually-hidden">{t("contact.verified")}</span></span>}
        {known !== "" && <span className="hint">{known}</span>}
      </span>
      {row.role !== "member" && <span className="chip">{roleName(row.role, t)}</span>}
      {verifying && <Verify conversation={{ id: row.member, name: row.name, verified: row.verified }} onClose={() => setVerifying(false)} onMarked={() => void roost.groups.load(info.group).catch(() => undefined)} />}
      {choices.length > 0 && <Menu label={t("member.more", { name })} choices={choices} />}
    </li>
  );
}

function Sure({ what, member, group, onClose }: { what: "remove" | "ban"; member: GroupMember; group: string; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const act = (): void => {
    onClose();
    void change(() => roost.client.call(what === "ban" ? "group-ban" : "group-remove", { group, members: [member.member] }));
  };
  const name = cleanName(member.name);
  return <Confirm title={t(`member.${what}`)} text={t(`member.${what}How`, { name })} danger onClose={onClose} onConfirm={act} />;
}
