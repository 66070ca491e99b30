// Signs the payload as a sender in JavaScript would, with two libraries.
import { readFileSync, writeFileSync } from "node:fs";
import jsonwebtoken from "jsonwebtoken";
import { SignJWT } from "jose";

const here = new URL(".", import.meta.url);
const secret = "signing-secret-of-the-leadpro-dashboard";
const payload = JSON.parse(readFileSync(new URL("payload.json", here), "utf8"));
const long = structuredClone(payload);
long.data.message = "🚗".repeat(8192);

const write = (name, token) => writeFileSync(new URL(`tokens/${name}.jwt`, here), token + "\n");
write("node_jsonwebtoken", jsonwebtoken.sign(payload, secret));
write("node_jsonwebtoken_long", jsonwebtoken.sign(long, secret));
write(
  "node_jose",
  await new SignJWT(payload)
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuedAt()
    .sign(new TextEncoder().encode(secret)),
);
