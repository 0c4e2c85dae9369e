//! For APIs written with actix-web: who calls, and may they?
