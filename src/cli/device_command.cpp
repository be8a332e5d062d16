// fulmar device, listener: what stores the blocks, and where hosts connect to.
#include "exit.hpp"
#include "field_options.hpp"
#include "rest_session.hpp"
#include "table.hpp"
#include "units.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace fulmar::cli {

namespace {

using json = rest_client::json;

struct device_settings {
    rest_session session;
    std::string name;
    std::string type;
    std::string size;
    field_options fields;
    bool shrink = false;
    bool accept = false;
    std::string address;
    std::uint16_t port = 4420;
};

std::string place(const device_settings& s) { return "/v1/devices/" + path_segment(s.name); }

std::uint64_t wanted_bytes(const std::string& text) {
    const auto bytes = parse_size(text);
    if (!bytes) leave(error{errc::invalid_argument, text + " is not a size", {}, "such as 256MiB"});
    return *bytes;
}

// What the device stands on.
const char* where_of(const json& device) {
    for (const char* field : {"address", "uri"})
        if (device.contains(field)) return field;
    return "path";
}

std::string devices_text(const json& all) {
    table rows(
        {"NAME", "TYPE", "STATE", ">SIZE", ">BLOCK", "USED BY", "PATH", "NOTE", "DESCRIPTION"});
    for (const json& one : all.value("devices", json::array())) {
        const json now = one.value("status", json::object());
        const auto block = one.value("block_size", std::uint64_t{0});
        std::string note = text_of(now, "reason");
        if (note.empty()) note = text_of(now, "note");
        rows.add({text_of(one, "name"), text_of(one, "type"), text_of(now, "state"),
                  size_text(now.value("block_count", std::uint64_t{0}) * block),
                  fmt::format("{}", block), text_of(now, "used_by"), text_of(one, where_of(one)),
                  note, text_of(one, "description")});
    }
    return rows.text("no devices");
}

void add_create_device(CLI::App& group) {
    auto s = std::make_shared<device_settings>();
    CLI::App* const c = s->session.add_verb(group, "create", "create a device", true);
    c->add_option("name", s->name, "a name of your choice")->required();
    check_value(*c->add_option("type", s->type, "what stores the blocks")->required(),
                core::find_field<core::device_spec>("type")->facts);
    s->fields.add_for_making<core::device_spec>(*c);
    c->footer(
        "Examples:\n"
        "  fulmar device create ram1 ram --size 256MiB\n"
        "  fulmar device create disk1 file --path /srv/disk1.img --size 10GiB --create\n"
        "  fulmar device create disk2 file --path /dev/vdb --block-size 4096\n"
        "  fulmar device create drive1 pcie --address 0000:0b:00.0\n"
        "  fulmar device create remote1 nbd --uri nbd://192.0.2.7/disk0\n"
        "  fulmar device create image1 rbd --pool rbd --image disk0 --user fulmar");
    c->callback([s] {
        json body{{"name", s->name}, {"type", s->type}};
        s->fields.fill(body);
        // Relative to here, not to the folder of fulmard's configuration.
        if (body.contains("path"))
            body["path"] = std::filesystem::absolute(body["path"].get<std::string>()).string();
        s->session.done(s->session.change("POST", "/v1/devices", &body),
                        fmt::format("created {}", s->name));
    });
}

void add_list_devices(CLI::App& group) {
    auto s = std::make_shared<device_settings>();
    CLI::App* const c = s->session.add_verb(group, "list", "all devices", false);
    c->callback([s] {
        const json all = s->session.get("/v1/devices");
        s->session.show(all, [&] { return devices_text(all); });
    });
}

}  // namespace

void add_device(CLI::App& app) {
    CLI::App* const group = app.add_subcommand("device", "what stores the blocks (REST)");
    group->require_subcommand(1);
    add_list_devices(*group);
    add_create_device(*group);
    {
        auto s = std::make_shared<device_settings>();
        CLI::App* const c =
            s->session.add_verb(*group, "delete", "delete a device that backs no namespace", true);
        c->add_option("name", s->name, "the device")->required();
        c->callback([s] {
            s->session.done(s->session.change("DELETE", place(*s)),
                            fmt::format("deleted {}", s->name));
        });
    }
    {
        auto s = std::make_shared<device_settings>();
        CLI::App* const c =
            s->session.add_verb(*group, "resize", "change the size of a device", true);
        c->add_option("name", s->name, "the device")->required();
        c->add_option("size", s->size, "such as 2GiB; 0 looks again at what is underneath")
            ->required();
        c->add_flag("--shrink", s->shrink, "also when it becomes smaller: what is behind is lost");
        c->callback([s] {
            json body{{"size", wanted_bytes(s->size)}};
            if (s->shrink) body["allow_shrink"] = true;
            const json now = s->session.change("PATCH", place(*s), &body);
            s->session.done(now, fmt::format("{} has {}", s->name,
                                             size_text(now.value("size", std::uint64_t{0}))));
        });
    }
    {
        auto s = std::make_shared<device_settings>();
        CLI::App* const c = s->session.add_verb(*group, "set", "change what no host notices", true);
        c->add_option("name", s->name, "the device")->required();
        s->fields.add_for_changing<core::device_spec>(*c);
        c->callback([s] {
            json body = json::object();
            s->fields.fill(body);
            s->session.done(s->session.change("PATCH", place(*s), &body),
                            fmt::format("changed {}", s->name));
        });
    }
    auto s = std::make_shared<device_settings>();
    CLI::App* const c =
        s->session.add_verb(*group, "reopen", "try again with a device that was lost", true);
    c->add_option("name", s->name, "the device")->required();
    c->add_flag("--accept", s->accept, "also when it is another file or disk than it was");
    c->callback([s] {
        const json body{{"accept", true}};
        s->session.done(
            s->session.change("POST", place(*s) + "/reopen", s->accept ? &body : nullptr),
            fmt::format("{} is open", s->name));
    });
}

void add_listener(CLI::App& app) {
    CLI::App* const group = app.add_subcommand("listener", "where hosts connect to (REST)");
    group->require_subcommand(1);
    {
        auto s = std::make_shared<device_settings>();
        CLI::App* const c = s->session.add_verb(*group, "list", "all listeners", false);
        c->callback([s] {
            const json all = s->session.get("/v1/listeners");
            s->session.show(all, [&] {
                table rows({"NAME", ">CONNECTIONS", ">ACCEPTED", ">REJECTED"});
                for (const json& one : all.value("listeners", json::array())) {
                    const json now = one.value("status", json::object());
                    rows.add({text_of(one, "name"), text_of(now, "connections"),
                              text_of(now, "accepted_total"), text_of(now, "rejected_total")});
                }
                return rows.text("no listeners");
            });
        });
    }
    {
        auto s = std::make_shared<device_settings>();
        CLI::App* const c = s->session.add_verb(*group, "add", "listen at another address", true);
        c->add_option("address", s->address, "numeric IPv4 or IPv6")->required();
        c->add_option("port", s->port, "TCP port; 0: any that is free")->capture_default_str();
        c->callback([s] {
            const json body{{"address", s->address}, {"port", s->port}};
            const json made = s->session.change("POST", "/v1/listeners", &body);
            s->session.done(made, fmt::format("listening at {}", text_of(made, "name")));
        });
    }
    auto s = std::make_shared<device_settings>();
    CLI::App* const c = s->session.add_verb(
        *group, "remove", "stop listening, and end the connections made there", true);
    c->add_option("name", s->name, "such as tcp:127.0.0.1:4420")->required();
    c->callback([s] {
        s->session.done(s->session.change("DELETE", "/v1/listeners/" + path_segment(s->name)),
                        fmt::format("stopped listening at {}", s->name));
    });
}

void add_referral(CLI::App& app) {
    CLI::App* const group = app.add_subcommand(
        "referral", "other discovery services that discovery names to hosts (REST)");
    group->require_subcommand(1);
    {
        auto s = std::make_shared<device_settings>();
        CLI::App* const c = s->session.add_verb(*group, "list", "all referrals", false);
        c->callback([s] {
            const json all = s->session.get("/v1/referrals");
            s->session.show(all, [&] {
                table rows({"NAME", "TRANSPORT", "ADDRESS", ">PORT"});
                for (const json& one : all.value("referrals", json::array()))
                    rows.add({text_of(one, "name"), text_of(one, "transport"),
                              text_of(one, "address"), text_of(one, "port")});
                return rows.text("no referrals");
            });
        });
    }
    {
        auto s = std::make_shared<device_settings>();
        s->port = 8009;
        CLI::App* const c =
            s->session.add_verb(*group, "add", "name one more discovery service", true);
        c->add_option("address", s->address, "numeric IPv4 or IPv6")->required();
        c->add_option("port", s->port, "its port")->capture_default_str();
        c->callback([s] {
            const json body{{"address", s->address}, {"port", s->port}};
            const json made = s->session.change("POST", "/v1/referrals", &body);
            s->session.done(made, fmt::format("added {}", text_of(made, "name")));
        });
    }
    auto s = std::make_shared<device_settings>();
    CLI::App* const c = s->session.add_verb(*group, "remove", "name it no more", true);
    c->add_option("name", s->name, "such as tcp:192.0.2.7:8009")->required();
    c->callback([s] {
        s->session.done(s->session.change("DELETE", "/v1/referrals/" + path_segment(s->name)),
                        fmt::format("removed {}", s->name));
    });
}

}  // namespace fulmar::cli
