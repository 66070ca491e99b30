"""Asks for a token with other people's OAuth clients, and posts a lead with each.

Usage: oauth.py URL CLIENT_ID, with the client's secret in CLIENT_SECRET.
"""

import os
import sys

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

URL, CLIENT_ID = sys.argv[1:]
SECRET = os.environ["CLIENT_SECRET"]
TOKEN_URL = f"{URL}/oauth/token"
LEADS = f"{URL}/webhooks/dealer-studio/leads"


def requests_oauthlib(**how):
    session = OAuth2Session(client=BackendApplicationClient(client_id=CLIENT_ID, scope=["lead"]))
    session.fetch_token(token_url=TOKEN_URL, **how)
    return session


def authlib(method):
    session = AuthlibSession(CLIENT_ID, SECRET, scope="lead", token_endpoint_auth_method=method)
    session.fetch_token(TOKEN_URL, grant_type="client_credentials")
    return session


SESSIONS = {
    "requests-oauthlib, header": lambda: requests_oauthlib(auth=HTTPBasicAuth(CLIENT_ID, SECRET)),
    "requests-oauthlib, form": lambda: requests_oauthlib(client_secret=SECRET, include_client_id=True),
    "authlib, header": lambda: authlib("client_secret_basic"),
    "authlib, form": lambda: authlib("client_secret_post"),
}

for number, (name, session) in enumerate(SESSIONS.items(), start=1):
    lead = {"id": number, "dealership": {"id": 356}, "prospect": {"email": "ada@example.com"}}
    answer = session().post(LEADS, json=lead)
    print(f"{name}: {answer.status_code} {answer.json().get('outcome')}")
