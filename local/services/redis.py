"""A private Redis: nothing evicted, appended to disk every second."""

from functools import partial

from local.data_folder import DataFolder, write_private
from local.ports import kept_port
from local.services.programs import Program, find
from local.services.service import Service, answers, clean_environment
from local.supervisor import Part

SERVER = Program("redis-server", "redis-server", otherwise="FRAUDSENSE_REDIS_URL")
PROGRAMS = (SERVER,)


def prepare(folder: DataFolder) -> Service:
    """Write its configuration; its data is made by itself."""
    home, port, password = folder.sub("redis"), kept_port(folder, "redis"), folder.password("redis")
    configuration = home / "redis.conf"
    write_private(
        configuration,
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{home}"\ndaemonize no\n'
        'save ""\nappendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n',
    )
    part = Part(
        name="redis",
        command=(str(find(SERVER)), str(configuration)),
        ready=partial(answers, port, f"AUTH {password}\r\nPING\r\n".encode(), b"+PONG"),
        environment=clean_environment(),
        cwd=home,
    )
    return Service(f"redis://:{password}@127.0.0.1:{port}/0", (part,))
