import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Gate } from "./Gate";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/list.css";
import "./styles/chat.css";
import "./styles/panel.css";
import "./styles/groups.css";

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Gate />
    </StrictMode>,
  );
}
