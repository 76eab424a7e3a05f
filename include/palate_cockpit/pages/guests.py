"""The guests: looked for by own id or name, and what is known of each."""

from palate.reads import guests
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Session

pages = Pages("persons")


@pages.page("/guests", "guests.html")
def find_guests(conn: Session, id: str = "", after: str | None = None) -> guests.Found:
    """List the guests that a person looks for."""
    return guests.find(conn, id.strip(), after=after)


@pages.page("/guests/{user_id:path}", "guest.html")
def show_guest(conn: Session, user_id: str) -> guests.Profile:
    """Show what is known of a guest."""
    return guests.show(conn, user_id)
