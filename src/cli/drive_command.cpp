// fulmar drive: the NVMe drives of this machine, and which driver has them. list, bind, unbind and
// locate work on sysfs, with or without a running fulmard, and want root; the others ask fulmard.
#include "commands.hpp"
#include "exit.hpp"
#include "rest_session.hpp"
#include "table.hpp"

#include <fulmar/vfio/drives.hpp>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace fulmar::cli {
namespace {

using json = nlohmann::ordered_json;

struct drive_settings {
    std::string address;
    std::string driver = "nvme";
    std::string indicator = "blink";
};

struct remote_settings {
    rest_session session;
    std::string drive;
};

json to_json(const vfio::drive_info& drive) {
    json out{{"address", drive.address.text()}, {"driver", drive.driver}, {"slot", drive.slot},
             {"vendor", drive.vendor},          {"device", drive.device}, {"users", drive.users},
             {"serial", drive.serial},          {"model", drive.model}};
    out["iommu_group"] = drive.iommu_group ? json(*drive.iommu_group) : json();
    return out;
}

/// One line of `fulmar drive list`, from either source.
void add_row(table& rows, const json& drive, const json& identity) {
    const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
    const std::string group = text_of(drive, "iommu_group");
    rows.add(
        {text_of(drive, "address"), or_dash(text_of(drive, "driver")),
         or_dash(text_of(drive, "slot")), group.empty() ? "none" : group,
         fmt::format("{}:{}", text_of(identity, "vendor"), text_of(identity, "device")),
         or_dash(text_of(identity, "serial")),
         fmt::format("{}", fmt::join(drive.value("users", std::vector<std::string>{}), "; "))});
}

std::string drives_text(const json& drives) {
    table rows({"ADDRESS", "DRIVER", "SLOT", "IOMMU GROUP", "ID", "SERIAL", "IN USE"});
    for (const json& drive : drives)
        add_row(rows, drive, drive.contains("identity") ? drive["identity"] : drive);
    return rows.text("no NVMe drives");
}

void add_list_drives(CLI::App& group) {
    auto s = std::make_shared<remote_settings>();
    CLI::App* const c = s->session.add_verb(
        group, "list", "every NVMe drive of this machine; with --admin, of fulmard's", false);
    c->callback([s] {
        json all = json::array();
        if (s->session.is_named())
            all = s->session.get("/v1/drives").value("drives", json::array());
        else
            for (const vfio::drive_info& drive : vfio::list_drives()) all.push_back(to_json(drive));
        s->session.show(all, [&] { return drives_text(all); });
    });
}

void move_drive(const std::string& text, const std::string& driver) {
    const vfio::pci_address address = value_or_leave(vfio::parse_pci_address(text));
    value_or_leave(vfio::bind_drive(address, driver));
    const vfio::drive_info now = value_or_leave(vfio::find_drive(address));
    fmt::print("{} has {}\n", now.driver.empty() ? "nobody" : now.driver, address.text());
}

void light(const drive_settings& s) {
    const vfio::pci_address address = value_or_leave(vfio::parse_pci_address(s.address));
    const auto to = s.indicator == "off"  ? vfio::slot_indicator::off
                    : s.indicator == "on" ? vfio::slot_indicator::on
                                          : vfio::slot_indicator::blink;
    value_or_leave(vfio::set_indicator(address, to));
    fmt::print("the light of {} is {}\n", address.text(),
               s.indicator == "blink" ? "blinking" : s.indicator);
}

// --- what a running fulmard knows ----------------------------------------------------------------

std::string place(const remote_settings& s) { return "/v1/drives/" + path_segment(s.drive); }

std::string drive_text(const json& drive) {
    std::string out;
    const auto line = [&out](const char* name, const std::string& text) {
        if (!text.empty()) out += fmt::format("{:<12} {}\n", name, text);
    };
    const json device = drive.value("device", json());
    const json identity = drive.value("identity", json::object());
    line("address", text_of(drive, "address"));
    line("slot", text_of(drive, "slot"));
    line("driver", text_of(drive, "driver"));
    const std::string group = text_of(drive, "iommu_group");
    if (drive.value("present", false))
        line("IOMMU group", group.empty() ? "none: Fulmar refuses it" : group);
    else
        line("present", "no");
    for (const char* key : {"serial", "model", "firmware", "subsystem_nqn"})
        line(key, text_of(identity, key));
    for (const json& user : drive.value("users", json::array()))
        line("in use", user.get<std::string>());
    line("device", text_of(device, "name"));
    line("state", text_of(device, "state"));
    if (text_of(device, "detached") == "yes") line("detached", "yes: attach takes it again");
    line("reason", text_of(device, "reason"));
    for (const json& one : drive.value("history", json::array())) out += event_text(one);
    return out;
}

void add_show(CLI::App& group) {
    auto s = std::make_shared<remote_settings>();
    CLI::App* const c = s->session.add_verb(
        group, "show", "one drive: who has it, its state, what happened to it (REST)", false);
    c->add_option("drive", s->drive, "its address or serial number")->required();
    c->callback([s] {
        const json drive = s->session.get(place(*s));
        s->session.show(drive, [&] { return drive_text(drive); });
    });
}

void add_wish(CLI::App& group, const char* verb, const char* about, const char* done) {
    auto s = std::make_shared<remote_settings>();
    CLI::App* const c = s->session.add_verb(group, verb, about, true);
    c->add_option("drive", s->drive, "its address or serial number")->required();
    c->callback([s, verb = std::string(verb), done = std::string(done)] {
        s->session.done(s->session.change("POST", place(*s) + "/" + verb),
                        fmt::format("{} {}", s->drive, done));
    });
}

void add_remote(CLI::App& group) {
    add_show(group);
    add_wish(group, "attach", "let fulmard's device take it again (REST)", "is being brought up");
    add_wish(group, "detach",
             "take it from fulmard at once: what is outstanding is answered as of a lost drive\n"
             "(REST)",
             "is detached, and stays so until it is attached");
    add_wish(group, "drain",
             "as detach, but what is outstanding at the drive ends first, so that it can be\n"
             "pulled (REST)",
             "is free: it can be pulled");
    add_drive_events(group);
}

}  // namespace

void add_drive(CLI::App& app) {
    CLI::App* const group =
        app.add_subcommand("drive", "the NVMe drives of this machine and their drivers");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  fulmar drive list\n"
        "  fulmar drive bind 0000:0b:00.0      from the kernel's driver to vfio-pci\n"
        "  fulmar drive unbind 0000:0b:00.0    and back\n"
        "  fulmar drive show 0000:0b:00.0      what fulmard knows of it\n"
        "  fulmar drive locate 0000:0b:00.0    let the light at its slot blink\n"
        "  fulmar drive drain 0000:0b:00.0     before it is pulled\n"
        "  fulmar drive attach 0000:0b:00.0    it may serve again\n"
        "  fulmar drive events --follow        drives come and go");
    add_list_drives(*group);
    add_remote(*group);
    {
        auto s = std::make_shared<drive_settings>();
        CLI::App* const c =
            group->add_subcommand("locate", "light the attention indicator of a drive's slot");
        c->add_option("address", s->address, "such as 0000:0b:00.0")->required();
        c->add_option("indicator", s->indicator, "on, off or blink")
            ->check(CLI::IsMember({"on", "off", "blink"}))
            ->capture_default_str();
        c->callback([s] { light(*s); });
    }
    {
        auto s = std::make_shared<drive_settings>();
        CLI::App* const c = group->add_subcommand(
            "bind", "give a drive that nobody uses to vfio-pci, so that fulmard can have it");
        c->add_option("address", s->address, "such as 0000:0b:00.0")->required();
        c->callback([s] { move_drive(s->address, "vfio-pci"); });
    }
    auto s = std::make_shared<drive_settings>();
    CLI::App* const c = group->add_subcommand("unbind", "give a drive back to the kernel's driver");
    c->add_option("address", s->address, "such as 0000:0b:00.0")->required();
    c->add_option("--driver", s->driver, "who gets it")->capture_default_str();
    c->callback([s] { move_drive(s->address, s->driver); });
}

}  // namespace fulmar::cli
