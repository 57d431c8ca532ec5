; Int8.1x1: 206 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x38]
L1:
    vpbroadcastd zmm0, [r9]
    add          r9, 4
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    prefetcht0   [rax+0x2000]
    vmovdqu64    zmm1, [rax]
    vpbroadcastd zmm2, [rdx]
    vpdpbusd     zmm0, zmm1, zmm2
    prefetcht0   [rax+0x2040]
    vmovdqu64    zmm1, [rax+0x40]
    vpbroadcastd zmm2, [rdx+4]
    vpdpbusd     zmm0, zmm1, zmm2
    prefetcht0   [rax+0x2080]
    vmovdqu64    zmm1, [rax+0x80]
    vpbroadcastd zmm2, [rdx+8]
    vpdpbusd     zmm0, zmm1, zmm2
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm1, [rax+0xc0]
    vpbroadcastd zmm2, [rdx+0xc]
    vpdpbusd     zmm0, zmm1, zmm2
    add          rax, 0x100
    add          rdx, 0x10
    dec          esi
    jne          short L2
    vcvtdq2ps    zmm0, zmm0
    vmovups      zmm1, [r11]
    vfmadd231ps  zmm1, zmm0, [r8]{1to16}
    vmovups      [r11], zmm1
    add          r8, 4
    dec          ecx
    jne          near L1
    vzeroupper
    ret
