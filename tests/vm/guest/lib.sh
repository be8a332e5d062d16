# The functions that scenarios use, one subject a file in guest/lib. Sourced in the guest only.
if [ ! -e /fulmar-vm/share/boot.env ]; then
    echo "lib.sh belongs into the guest: it mounts, kills and unplugs" >&2
    exit 2
fi

LOGS=/fulmar-vm/share/$SCENARIO # this scenario's logs; the launcher's machine sees them at once
WORK=/run/fulmar-test # what the scenario writes and nobody needs later
CONFIGS=$VM/configs
mkdir -p "$WORK"

for part in "$VM"/guest/lib/*.sh; do
    . "$part"
done
mark_dmesg
