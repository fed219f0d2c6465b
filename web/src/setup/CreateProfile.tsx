import { useEffect, useMemo, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { setOwnPicture } from "../api/picture";
import type { CarrierKind } from "../api/direct";
import type { HostState } from "../api/types";
import { useT } from "../i18n/i18n";
import { OtherProfiles } from "../people/Profiles";
import { notify } from "../state/toasts";
import { Button, Field, Options, Switch } from "../ui/controls";
import { PicturePicker } from "../ui/PicturePicker";
import { Icon } from "../ui/icons";
import { kindOf, useLinkProblem } from "./hostLink";

type Protection = "passphrase" | "keyring" | "none";
type RelayChoice = "link" | "network" | "own" | "direct";

const OFFERED = ["lan", "bluetooth", "tor"] as const; // the internet shows one's address: in the settings, with a question

interface Props {
  client: Client;
  host: HostState;
  onDone: (host: HostState) => void;
}

/** The first run: a name and a picture, what protects the profile, and where mailboxes are kept. */
export function CreateProfile({ client, host, onDone }: Props): ReactNode {
  const t = useT();
  const [name, setName] = useState("");
  const [picture, setPicture] = useState<File | null>(null);
  const [protection, setProtection] = useState<Protection>("passphrase");
  const [passphrase, setPassphrase] = useState("");
  const [again, setAgain] = useState("");
  const [relay, setRelay] = useState<RelayChoice>("link");
  const [link, setLink] = useState("");
  const [both, setBoth] = useState(false);
  const [carriers, setCarriers] = useState<readonly CarrierKind[]>(["lan", "tor"]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const mismatch = protection === "passphrase" && again !== "" && again !== passphrase;
  const given = relay === "link" || relay === "network";
  const kind = kindOf(link);
  const broken = useLinkProblem(link);
  const home = relay === "link" && kind === "home";
  const meets = relay === "direct" || both || home;
  const reached = (!given || (link.trim() !== "" && broken === "")) && (!meets || carriers.length > 0);
  const ready = name.trim() !== "" && (protection !== "passphrase" || (passphrase !== "" && again === passphrase)) && reached;
  const paste = (text: string): void => {
    setLink(text);
    if (kindOf(text) !== "other") setRelay(kindOf(text) === "network" ? "network" : "link"); // a link says by itself what it leads to
  };
  const choose = (carrier: CarrierKind, on: boolean): void => setCarriers((held) => [...held.filter((each) => each !== carrier), ...(on ? [carrier] : [])]);

  const create = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      const made = await client.call("profile-create", {
        name: name.trim(),
        relay: { own: "", direct: null, link: link.trim(), network: link.trim() }[relay],
        protection,
        ...(meets ? { carriers: [...carriers] } : {}),
        ...(protection === "passphrase" ? { passphrase } : {}),
      });
      if (picture !== null) await setOwnPicture(client, picture).catch(() => notify(t("picture.failed"), "error"));
      onDone(made);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <main className="gate">
      <form className="gate-card" onSubmit={(event) => { event.preventDefault(); if (ready && !busy) void create(); }}>
        <img src="/icon.svg" alt="" width="64" height="64" />
        <h1>{t("setup.welcome")}</h1>
        <p className="hint">{t("setup.intro")}</p>
        <PicturePicker onPicked={setPicture}><Preview picture={picture} /></PicturePicker>
        <Field label={t("setup.name")} value={name} onChange={setName} hint={t("setup.nameHint")} autoFocus maxLength={64} autoComplete="nickname" />
        <Options
          label={t("setup.protection")}
          value={protection}
          onChange={setProtection}
          options={[
            { value: "passphrase", label: t("setup.passphrase"), hint: t("setup.passphraseHint") },
            ...(host.keyring ? [{ value: "keyring" as const, label: t("setup.keyring"), hint: t("setup.keyringHint") }] : []),
            { value: "none", label: t("setup.none"), hint: t("setup.noneHint") },
          ]}
        />
        {protection === "passphrase" && (
          <div className="pair">
            <Field label={t("setup.passphrase")} type="password" value={passphrase} onChange={setPassphrase} autoComplete="new-password" />
            <Field label={t("setup.again")} type="password" value={again} onChange={setAgain} autoComplete="new-password" hint={mismatch ? t("setup.mismatch") : ""} />
          </div>
        )}
        <Options
          label={t("setup.relay")}
          value={relay}
          onChange={setRelay}
          options={[
            { value: "link", label: t("setup.relayLink"), hint: t("setup.relayLinkHint") },
            { value: "network", label: t("setup.network"), hint: t("setup.networkHint") },
            { value: "own", label: t("setup.relayOwn"), hint: t("setup.relayOwnHint") },
            { value: "direct", label: t("setup.direct"), hint: t("setup.directHint") },
          ]}
        />
        {given && <Field label={t(relay === "network" ? "setup.networkField" : "setup.relayLinkField")} value={link} onChange={paste} hint={relay === "network" ? t("setup.networkFieldHint") : ""} />}
        {given && broken !== "" && <p className="bad" role="alert">{t(relay === "network" && broken === "link.notRelay" ? "link.notNetwork" : broken)}</p>}
        {home && <div><p className="hint">{t("setup.home")}</p></div>}
        {relay !== "direct" && !home && <Switch label={t("setup.both")} hint={t(relay === "network" ? "setup.bothNetworkHint" : "setup.bothHint")} on={both} onChange={setBoth} />}
        {meets && (
          <div className="options" role="group" aria-label={t("setup.ways")}>
            <span className="options-title">{t("setup.ways")}</span>
            {OFFERED.map((carrier) => (
              <Switch key={carrier} label={t(`carrier.${carrier}`)} hint={`${t(`carrier.${carrier}.what`)} ${t(`carrier.${carrier}.shows`)}`} on={carriers.includes(carrier)} onChange={(on) => choose(carrier, on)} />
            ))}
          </div>
        )}
        {problem !== "" && <p className="bad" role="alert">{problem}</p>}
        <Button kind="primary" type="submit" disabled={!ready || busy}>{t(busy ? "common.wait" : "setup.create")}</Button>
        <OtherProfiles client={client} />
      </form>
    </main>
  );
}

function Preview({ picture }: { picture: File | null }): ReactNode {
  const t = useT();
  const url = useMemo(() => (picture === null ? null : URL.createObjectURL(picture)), [picture]);
  useEffect(() => () => { if (url !== null) URL.revokeObjectURL(url); }, [url]);
  return <span className="avatar large hue0">{url === null ? <Icon name="person" size={40} /> : <img src={url} alt={t("picture.yours")} />}</span>;
}
