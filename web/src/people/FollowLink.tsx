import { useEffect, useState, type ReactNode } from "react";
import type { LinkUse } from "../api/groups";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";
import { Button, Field } from "../ui/controls";
import { cleanName } from "../ui/text";
import { useAsk } from "./adding";

const JOIN_S = 4;
const MAYBE = 40; // characters: anything shorter is no link yet
const ACTS = { contact: "add.ask", group: "join.group", channel: "join.channel" } as const;

interface Props {
  found: string;
  onClose: () => void;
  onAdded: (id: string) => void;
}

/** Follow a link to a person, into a group or to a channel: what it is for shows as soon as it is there. */
export function FollowLink({ found, onClose, onAdded }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const add = useAsk();
  const [link, setLink] = useState(found);
  const [words, setWords] = useState("");
  const [busy, setBusy] = useState(false);
  const leads = useUse(link);
  const use = leads?.use ?? "contact";
  const wrong = use === "device" || use === "relay" || use === "network" ? use : null;
  const kind = use === "group" || use === "channel" ? use : "contact"; // the agent says what is wrong with any other
  const follow = async (): Promise<void> => {
    setBusy(true);
    const worked = await roost.attemptTo(async () => {
      const id = await { contact: ask, group: join, channel: read }[kind](link.trim(), words.trim());
      await roost.refreshAll();
      if (id !== "") onAdded(id);
    });
    setBusy(false);
    if (worked) onClose();
  };
  const ask = async (to: string, greeting: string): Promise<string> => (await add(to, greeting)).contact;
  const join = async (to: string, greeting: string): Promise<string> => {
    const joined = await roost.client.call("group-join", { link: to, greeting, wait_timeout_s: JOIN_S });
    if (joined.state === "waiting") notify(t("join.asked", { title: cleanName(joined.title) }));
    return joined.group;
  };
  const read = async (to: string, name: string): Promise<string> => (await roost.client.call("channel-join", { link: to, name })).channel;
  return (
    <form onSubmit={(event) => { event.preventDefault(); void follow(); }}>
      <Field label={t("add.link")} value={link} onChange={setLink} hint={t("add.linkHint")} autoFocus />
      {kind !== "contact" && <p role="status">{t(`join.${kind}How`, { host: leads?.host ?? "" })}</p>}
      {wrong !== null && <p className="bad" role="alert">{t(`join.wrong.${wrong}`)}</p>}
      <Field
        label={t(kind === "group" ? "join.greeting" : kind === "channel" ? "channel.myName" : "add.greeting")}
        value={words}
        onChange={setWords}
        maxLength={kind === "channel" ? 64 : 200}
        {...(kind === "channel" ? { hint: t("channel.myNameHint") } : {})}
      />
      <div className="dialog-actions">
        <Button kind="primary" type="submit" disabled={busy || wrong !== null || link.trim() === ""}>{t(busy ? "common.wait" : ACTS[kind])}</Button>
      </div>
    </form>
  );
}

/** What a link is for; null while that is not known. */
function useUse(link: string): { use: LinkUse; host: string } | null {
  const roost = useRoost();
  const [leads, setLeads] = useState<{ use: LinkUse; host: string } | null>(null);
  useEffect(() => {
    let current = true;
    setLeads(null);
    if (link.trim().length >= MAYBE) {
      void roost.client.call("read-link", { link: link.trim() }).then((read) => current && setLeads(read)).catch(() => undefined);
    }
    return () => {
      current = false;
    };
  }, [roost, link]);
  return leads;
}
