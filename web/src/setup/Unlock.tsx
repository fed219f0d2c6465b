import { useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import type { HostState } from "../api/types";
import { useT } from "../i18n/i18n";
import { OtherProfiles } from "../people/Profiles";
import { Button, Field } from "../ui/controls";

interface Props {
  client: Client;
  host: HostState;
  onDone: (host: HostState) => void;
}

export function Unlock({ client, host, onDone }: Props): ReactNode {
  const t = useT();
  const [passphrase, setPassphrase] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const asks = host.protection === "passphrase";
  const unlock = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      onDone(await client.call("profile-unlock", asks ? { passphrase } : {}));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setPassphrase("");
      setBusy(false);
    }
  };
  return (
    <main className="gate">
      <form className="gate-card" onSubmit={(event) => { event.preventDefault(); void unlock(); }}>
        <img src="/icon.svg" alt="" width="64" height="64" />
        <h1>{t("lock.title")}</h1>
        <p className="hint">{t("lock.hint")}</p>
        {asks && <Field label={t("setup.passphrase")} type="password" value={passphrase} onChange={setPassphrase} autoFocus autoComplete="current-password" />}
        {problem !== "" && <p className="bad" role="alert">{problem}</p>}
        <Button kind="primary" type="submit" disabled={busy || (asks && passphrase === "")}>{t(busy ? "common.wait" : "lock.unlock")}</Button>
        <OtherProfiles client={client} />
      </form>
    </main>
  );
}
