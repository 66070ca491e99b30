//! Every route and layer of the service on one screen.
