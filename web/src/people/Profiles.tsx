import { useEffect, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import type { ProfileRow } from "../api/types";
import { useT } from "../i18n/i18n";
import { notify } from "../state/toasts";
import { Avatar } from "../ui/Avatar";
import { Button, Dialog } from "../ui/controls";
import { Icon } from "../ui/icons";
import { cleanName } from "../ui/text";

interface Props {
  client: Client;
  onClose: () => void;
  onLock: (() => void) | null;
}

const LOOK_MS = 2000;

/** A person's profiles: go to another, make one, lock this one. Each has an address of its own on this computer. */
export function Profiles({ client, onClose, onLock }: Props): ReactNode {
  const t = useT();
  const [rows, setRows] = useState<ProfileRow[] | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const look = (): void => void client.call("profiles", {}).then(setRows).catch(() => setRows((held) => held ?? []));
    look();
    const timer = window.setInterval(look, LOOK_MS); // messages arrive in the others meanwhile
    return () => window.clearInterval(timer);
  }, [client]);
  const go = async (where: () => Promise<{ url: string }>): Promise<void> => {
    setBusy(true);
    try {
      location.assign((await where()).url);
    } catch (error) {
      setBusy(false);
      notify(error instanceof Error ? error.message : String(error), "error");
    }
  };
  return (
    <Dialog title={t("profiles.title")} onClose={onClose}>
      <p className="hint">{t("profiles.how")}</p>
      <ul className="pick-list" aria-label={t("profiles.title")}>
        {(rows ?? []).map((row) => (
          <li key={row.id}>
            <button type="button" disabled={busy || row.current} aria-current={row.current ? "true" : undefined} onClick={() => void go(() => client.call("profile-open", { id: row.id }))}>
              <Avatar id={row.id} name={row.name || String(row.number)} size="small" />
              <span className="grow">
                <bdi>{row.name === "" ? t("profiles.number", { n: row.number }) : cleanName(row.name)}</bdi>
                <span className="hint">{t(row.current ? "profiles.current" : row.state === "open" ? "profiles.open" : "profiles.locked")}</span>
              </span>
              {row.unread > 0 && !row.current && <span className="unread">{row.unread}<span className="visually-hidden"> {t("list.unread")}</span></span>}
              {row.state === "locked" && <Icon name="lock" size={18} />}
              {row.current && <Icon name="check" size={18} />}
            </button>
          </li>
        ))}
      </ul>
      {rows?.length === 0 && <p className="hint">{t("profiles.alone")}</p>}
      <div className="dialog-actions">
        {onLock && <Button onPress={() => { onClose(); onLock(); }}>{t("profiles.lock")}</Button>}
        <Button kind="primary" disabled={busy || rows === null || rows.length === 0} onPress={() => void go(() => client.call("profile-new", {}))}>{t("profiles.new")}</Button>
      </div>
    </Dialog>
  );
}

/** On the pages before the messenger: the way to another profile, where there is one. */
export function OtherProfiles({ client }: { client: Client }): ReactNode {
  const t = useT();
  const [others, setOthers] = useState(false);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    void client.call("profiles", {}).then((rows) => setOthers(rows.some((row) => !row.current))).catch(() => undefined);
  }, [client]);
  if (!others) return null;
  return (
    <>
      <Button onPress={() => setOpen(true)}>{t("profiles.others")}</Button>
      {open && <Profiles client={client} onClose={() => setOpen(false)} onLock={null} />}
    </>
  );
}
